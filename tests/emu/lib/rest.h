/* SPDX-License-Identifier: MIT */
/*
 * What the firmware does with the other processors at the end of boot services is to let them wait with MWAIT, which Bochs wakes
 * all the time. From here on they rest until they get a SIPI, as an operating system gives them one anyway.
 */
#pragma once

#include <efi.h>

/* When ExitBootServices has succeeded, all processors but the caller's are sent an INIT. The caller's image must stay loaded. */
void rest_after_boot_services(EFI_SYSTEM_TABLE *table);
