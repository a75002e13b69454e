// SPDX-License-Identifier: MIT
/*
 * CPUID of the vCPUs: all that KVM can do here, with each vCPU's own APIC ID and a topology that fits.
 *
 * KVM hands out the leaves of the processor that was asked, with its APIC ID and its place in the real machine. The guest gets one package
 * of as many cores as it has vCPUs.
 */
#include "vmm.h"

#include <stdlib.h>
#include <sys/ioctl.h>

enum { ENTRIES = 128 };
enum { FEATURES = 1, CACHES = 4, TOPOLOGY = 0xb };
enum { DEADLINE_TIMER = 24, SEVERAL_IDS = 28, HYPERVISOR = 31 };

/* How many low bits of the APIC ID tell the cores of a package apart. */
static unsigned int core_bits(int vcpus)
{
	unsigned int bits = 0;

	while (1 << bits < vcpus)
		bits++;
	return bits;
}

/* The caches of levels 1 and 2 are each core's own, that of level 3 is the package's. */
static void share_caches(struct kvm_cpuid_entry2 *entry, uint32_t ids)
{
	uint32_t type = entry->eax & 0x1f, level = entry->eax >> 5 & 7;

	if (type)
		entry->eax = (entry->eax & 0x3fff) | (level == 3 ? ids - 1 : 0) << 14 | (ids - 1) << 26;
}

/*
 * Two bits KVM leaves to its user: that there is a hypervisor (Linux then asks it for the clock, where the timer would have to be
 * measured), and the deadline timer.
 */
static void adjust(struct kvm_cpuid_entry2 *entry, int number, int vcpus, int deadline)
{
	uint32_t ids = 1u << core_bits(vcpus);

	switch (entry->function) {
	case FEATURES:
		entry->ecx |= 1u << HYPERVISOR | (deadline ? 1u << DEADLINE_TIMER : 0);
		if (vcpus > 1) {
			entry->ebx = (entry->ebx & 0xffff) | ids << 16 | (uint32_t)number << 24;
			entry->edx |= 1u << SEVERAL_IDS;
		}
		break;
	case CACHES:
		if (vcpus > 1)
			share_caches(entry, ids);
		break;
	case TOPOLOGY:
		/* KVM leaves it empty but for the ID. */
		entry->edx = (uint32_t)number;
		break;
	}
}

void vm_set_cpuid(struct vm *vm)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof *cpuid + ENTRIES * sizeof cpuid->entries[0]);
	int deadline = ioctl(vm->kvm, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0;

	if (!cpuid)
		fail("out of memory");
	cpuid->nent = ENTRIES;
	vm_ioctl(vm->kvm, KVM_GET_SUPPORTED_CPUID, cpuid, "KVM_GET_SUPPORTED_CPUID");
	for (int number = 0; number < vm->vcpu_count; number++) {
		for (unsigned int i = 0; i < cpuid->nent; i++)
			adjust(&cpuid->entries[i], number, vm->vcpu_count, deadline);
		vm_ioctl(vm->vcpu[number].fd, KVM_SET_CPUID2, cpuid, "KVM_SET_CPUID2");
	}
	free(cpuid);
}
