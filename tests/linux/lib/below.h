/* SPDX-License-Identifier: MIT */
/*
 * What the lowest hypervisor has counted, whoever else is between it and this Linux.
 *
 * Testudo tells by its CPUID leaves (l0.h), KVM through a port of our VMM. A VMM that is asked asks below itself first, so the question
 * goes down to the last who can tell. Must not depend on /dev/kvm.
 */
#pragma once

#include <stdint.h>

/*
 * The VMM's port: it takes the index of a counter (docs/cpuid.md) or BELOW_FROM_L1 or BELOW_FROM_L2 and an exit reason, and gives the lower
 * 32 bits of the count, or BELOW_UNKNOWN.
 */
#define BELOW_PORT 0x8904
#define BELOW_UNKNOWN 0xffffffffu
#define BELOW_FROM_L1 0x100u
#define BELOW_FROM_L2 0x200u
#define BELOW_END 0x300u

/* The only one that KVM counts, too. */
#define BELOW_EXITS 0

/* BELOW_UNKNOWN also where there is nobody below. */
uint32_t below_count(uint32_t index);
