/* SPDX-License-Identifier: MIT */
/* A file of the loader's own on the volume that it was started from. */
#pragma once

#include "boot/uefi/loader.h"

/* In place of an older one of this name. NULL, or why it is not there; then there is none. */
const char *save_file(const struct loader *loader, const char *path, const void *bytes, UINTN size);
