// SPDX-License-Identifier: MIT
/*
 * The kernel's interface: making a VM with its vCPUs, and running them.
 *
 * Owns every ioctl that all machines need. Must not know what runs inside.
 */
#include "vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Below the local APIC's page; KVM asks for three free pages on Intel for guests without unrestricted guest. */
#define TSS_ADDRESS 0xfffbd000ul
#define IDENTITY_MAP_ADDRESS 0xfffbc000ul
#define LARGE_PAGE 0x200000ul

void fail(const char *format, ...)
{
	va_list list;

	fflush(stdout);
	fputs("vmm: ", stderr);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
	exit(1);
}

int vm_ioctl(int fd, unsigned long request, void *argument, const char *what)
{
	int result = ioctl(fd, request, argument);

	if (result < 0)
		fail("%s: %s", what, strerror(errno));
	return result;
}

/* Fewer and larger EPT mappings, where the kernel can: that needs large pages, in the same places here and in the guest. */
static void add_memory(struct vm *vm, size_t size)
{
	vm->memory_size = size;
	vm->mapping_size = size + LARGE_PAGE;
	vm->mapping = mmap(NULL, vm->mapping_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (vm->mapping == MAP_FAILED)
		fail("no memory for the guest: %s", strerror(errno));
	vm->memory = (uint8_t *)(((uintptr_t)vm->mapping + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1));
	madvise(vm->memory, size, MADV_HUGEPAGE);

	struct kvm_userspace_memory_region region = {
		.slot = 0,
		.guest_phys_addr = 0,
		.memory_size = size,
		.userspace_addr = (uintptr_t)vm->memory,
	};
	vm_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION");
}

static void add_irqchip(struct vm *vm)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

	vm_ioctl(vm->fd, KVM_CREATE_IRQCHIP, NULL, "KVM_CREATE_IRQCHIP");
	vm_ioctl(vm->fd, KVM_CREATE_PIT2, &pit, "KVM_CREATE_PIT2");
}

/* KVM gives a vCPU the APIC ID that is its number. */
static void add_vcpu(struct vm *vm, int number)
{
	int run_size = vm_ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, NULL, "KVM_GET_VCPU_MMAP_SIZE");
	struct vcpu *vcpu = &vm->vcpu[number];

	vcpu->fd = vm_ioctl(vm->fd, KVM_CREATE_VCPU, (void *)(intptr_t)number, "KVM_CREATE_VCPU");
	vcpu->run = mmap(NULL, (size_t)run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		fail("mapping the vCPU: %s", strerror(errno));
}

void vm_create(struct vm *vm, size_t memory_size, int vcpus, int with_irqchip)
{
	uint64_t identity_map = IDENTITY_MAP_ADDRESS;

	memset(vm, 0, sizeof *vm);
	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0)
		fail("/dev/kvm: %s", strerror(errno));
	if (vcpus > VCPUS_MAX)
		fail("at most %d vCPUs", VCPUS_MAX);
	if (vm_ioctl(vm->kvm, KVM_GET_API_VERSION, NULL, "KVM_GET_API_VERSION") != KVM_API_VERSION)
		fail("/dev/kvm speaks another version of its interface");
	vm->fd = vm_ioctl(vm->kvm, KVM_CREATE_VM, NULL, "KVM_CREATE_VM");
	vm_ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map, "KVM_SET_IDENTITY_MAP_ADDR");
	vm_ioctl(vm->fd, KVM_SET_TSS_ADDR, (void *)TSS_ADDRESS, "KVM_SET_TSS_ADDR");
	add_memory(vm, memory_size);
	if (with_irqchip)
		add_irqchip(vm);
	for (vm->vcpu_count = 0; vm->vcpu_count < vcpus; vm->vcpu_count++)
		add_vcpu(vm, vm->vcpu_count);
}

void vm_destroy(struct vm *vm)
{
	int run_size = vm_ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, NULL, "KVM_GET_VCPU_MMAP_SIZE");

	for (int i = 0; i < vm->vcpu_count; i++) {
		munmap(vm->vcpu[i].run, (size_t)run_size);
		close(vm->vcpu[i].fd);
	}
	close(vm->fd);
	close(vm->kvm);
	munmap(vm->mapping, vm->mapping_size);
}

int vcpu_run(struct vcpu *vcpu)
{
	if (ioctl(vcpu->fd, KVM_RUN, NULL) == 0)
		return 0;
	/* EAGAIN: a vCPU that waited for its start has been started. */
	if (errno != EINTR && errno != EAGAIN)
		fail("KVM_RUN: %s", strerror(errno));
	return -1;
}
