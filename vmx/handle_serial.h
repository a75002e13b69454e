/* SPDX-License-Identifier: MIT */
/*
 * The console's UART in the hands of a guest, as far as its accesses exit: they are carried out as they are, and the
 * key that opens the monitor is taken out of what comes in (vmx/serial_watch.h).
 */
#pragma once

#include "vmx/exit.h"
#include "vmx/vcpu.h"

/* Once, before any processor runs a guest. `bitmaps`: L1's I/O bitmaps, or NULL. False: there is no key to look for. */
bool handle_serial_init(const struct handoff *handoff, u8 *bitmaps);

/* False: the ports of this I/O instruction are none of the UART's. */
bool handle_serial(struct vcpu *vcpu, const struct vm_exit *exit);

/* At the end of an exit: looks for a key that no guest fetches, if it is time to. */
void handle_serial_look(void);

/* The monitor is closed: what the guest reads in place of the key. And what the user has typed for the guest, at the end. */
void handle_serial_resume(struct vcpu *vcpu);
void handle_serial_give(const u8 *bytes, u32 count);
