// SPDX-License-Identifier: MIT
/*
 * As much of UEFI as our test guests ask for before they take the machine: load options, and memory at places of their own choice.
 *
 * Each service is eight bytes of code: its number goes to a port, and the answer comes back in RAX. Owns the guest's memory from 0x10000 to
 * the image. What is not there says so, by its number in the table; must not know which guest it is.
 */
#include "vmm.h"

#include <efi.h>
#include <stdio.h>
#include <string.h>

enum {
	SYSTEM_TABLE = 0x10000,
	BOOT_SERVICES = 0x11000,
	LOADED_IMAGE = 0x12000,
	LOAD_OPTIONS = 0x12100,
	LOAD_OPTIONS_END = 0x13000,
	SERVICES = 0x13000, /* the code of all services */
	STACK_TOP = 0x80000,
	IMAGE = 0x200000,
};

#define SERVICE(name) ((offsetof(EFI_BOOT_SERVICES, name) - sizeof(EFI_TABLE_HEADER)) / sizeof(void *))

enum { SERVICE_COUNT = (sizeof(EFI_BOOT_SERVICES) - sizeof(EFI_TABLE_HEADER)) / sizeof(void *) };
enum { RETURNED = SERVICE_COUNT }; /* where the image comes to that returns */

/* mov $number, %eax; out %eax, $port; ret */
static void write_service(struct vm *vm, uint32_t number)
{
	uint8_t code[] = { 0xb8, (uint8_t)number, 0, 0, 0, 0xe7, FIRMWARE_PORT, 0xc3 };

	memcpy(vm->memory + SERVICES + number * sizeof code, code, sizeof code);
}

static uint64_t service_address(uint32_t number)
{
	return SERVICES + number * 8ul;
}

static void write_tables(struct vm *vm, const struct efi_image *image, const char *options)
{
	EFI_SYSTEM_TABLE *system = (EFI_SYSTEM_TABLE *)(vm->memory + SYSTEM_TABLE);
	EFI_LOADED_IMAGE *loaded = (EFI_LOADED_IMAGE *)(vm->memory + LOADED_IMAGE);
	uint64_t *services = (uint64_t *)(vm->memory + BOOT_SERVICES + sizeof(EFI_TABLE_HEADER));
	CHAR16 *text = (CHAR16 *)(vm->memory + LOAD_OPTIONS);

	for (uint32_t i = 0; i <= RETURNED; i++)
		write_service(vm, i);
	for (uint32_t i = 0; i < SERVICE_COUNT; i++)
		services[i] = service_address(i);
	system->Hdr.Signature = EFI_SYSTEM_TABLE_SIGNATURE;
	system->BootServices = (void *)BOOT_SERVICES;
	loaded->SystemTable = (void *)SYSTEM_TABLE;
	loaded->ImageBase = (void *)image->base;
	loaded->ImageSize = image->size;
	loaded->LoadOptions = (void *)LOAD_OPTIONS;
	loaded->LoadOptionsSize = (UINT32)((strlen(options) + 1) * sizeof *text);
	if (loaded->LoadOptionsSize > LOAD_OPTIONS_END - LOAD_OPTIONS)
		fail("the load options are too long");
	while ((*text++ = (CHAR16)*options++))
		;
}

void firmware_start(struct vm *vm, const char *name, const char *options)
{
	struct efi_image image = efi_image_load(vm, IMAGE, name);
	uint64_t stack = STACK_TOP - 8, back = service_address(RETURNED);

	write_tables(vm, &image, options);
	memcpy(vm->memory + stack, &back, sizeof back);
	/* Handle and system table are the arguments; the handle means nothing to anybody else. */
	long_mode_start(vm, (struct kvm_regs){ .rip = image.entry, .rsp = stack, .rcx = LOADED_IMAGE, .rdx = SYSTEM_TABLE });
}

/* A variable of the guest's that a service fills in or reads. */
static uint64_t *variable(struct vm *vm, uint64_t address)
{
	if (address > vm->memory_size - sizeof(uint64_t))
		fail("firmware: %#llx is no address", (unsigned long long)address);
	return (uint64_t *)(vm->memory + address);
}

/* Nothing is kept of what was given: an image asks once, for what is not below its own end. */
static EFI_STATUS allocate_pages(struct vm *vm, const struct kvm_regs *r)
{
	uint64_t pages = r->r8, at = *variable(vm, r->r9);

	if (r->rcx != AllocateAddress || at < IMAGE || at > vm->memory_size || pages > (vm->memory_size - at) / EFI_PAGE_SIZE)
		return EFI_OUT_OF_RESOURCES;
	return EFI_SUCCESS;
}

/* Of the image's handle, which is the only one. */
static EFI_STATUS handle_protocol(struct vm *vm, const struct kvm_regs *r)
{
	static const EFI_GUID loaded_image = EFI_LOADED_IMAGE_PROTOCOL_GUID;

	if (r->rcx != LOADED_IMAGE || memcmp(variable(vm, r->rdx), &loaded_image, sizeof loaded_image))
		return EFI_UNSUPPORTED;
	*variable(vm, r->r8) = LOADED_IMAGE;
	return EFI_SUCCESS;
}

int firmware_call(struct vm *vm, uint32_t number)
{
	struct kvm_regs r;

	vm_ioctl(vm->vcpu[0].fd, KVM_GET_REGS, &r, "KVM_GET_REGS");
	switch (number) {
	case SERVICE(AllocatePages):
		r.rax = allocate_pages(vm, &r);
		break;
	case SERVICE(HandleProtocol):
		r.rax = handle_protocol(vm, &r);
		break;
	case SERVICE(LocateProtocol):
		r.rax = EFI_NOT_FOUND;
		break;
	case RETURNED:
		printf("firmware: the guest returned %#llx\n", (unsigned long long)r.rax);
		return -1;
	default:
		printf("firmware: there is no boot service %u\n", number);
		return -1;
	}
	vm_ioctl(vm->vcpu[0].fd, KVM_SET_REGS, &r, "KVM_SET_REGS");
	return 0;
}
