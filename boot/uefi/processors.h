/* SPDX-License-Identifier: MIT */
/*
 * Which processors run under Testudo, and that L1 finds no others.
 */
#pragma once

#include "boot/uefi/loader.h"

/* Chooses the processors to launch: loader->processors. An error has been complained of. */
EFI_STATUS choose_processors(struct loader *loader);

/*
 * To be called when all are launched: takes the others away from L1, in MP
 * Services and in the MADT. An error has been complained of: L1 could start a
 * processor outside of Testudo.
 */
EFI_STATUS hide_other_processors(const struct loader *loader);
