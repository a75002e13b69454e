/* SPDX-License-Identifier: MIT */
/*
 * Asks the firmware what machine_report.c cannot know: versions, Secure Boot, ACPI
 * tables, memory, and the other processors, each of which looks at itself.
 * What it takes of memory it gives back; it writes no table and no register, and a
 * file only where `check = save` asks for it.
 */
#include "boot/uefi/check.h"

#include "arch/string.h"
#include "arch/version.h"
#include "arch/x86.h"
#include "boot/uefi/acpi_look.h"
#include "boot/uefi/machine_look.h"
#include "boot/uefi/machine_report.h"
#include "boot/uefi/memory_map.h"
#include "boot/uefi/mp_services.h"
#include "boot/uefi/output.h"
#include "boot/uefi/ports.h"
#include "boot/uefi/processors.h"
#include "boot/uefi/reserve.h"
#include "boot/uefi/save.h"
#include "boot/uefi/text.h"

#define SAVED_AS "\\EFI\\testudo\\check.txt"
#define SAVED_SIZE (128u << 10)
#define PAGES_PER_MEGABYTE 256
/* Microseconds, for a processor to look at itself. */
#define PATIENCE 10000000

static EFI_GUID mp_services_protocol = MP_SERVICES_GUID;
static EFI_GUID global_variable = { 0x8be4df61, 0x93ca, 0x11d2, { 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c } };

static void put(void *context, const char *line)
{
	(void)context;
	tell("%s", line);
}

static bool finding(bool found, const char *what, const char *purpose, const char *cause, const char *cure)
{
	const struct machine_finding line = { found ? MACHINE_FOUND : MACHINE_MISSING, what, purpose, found ? NULL : cause, cure };

	report_finding(&line, put, NULL);
	return found;
}

static const char *state_of_secure_boot(const struct loader *loader)
{
	EFI_RUNTIME_SERVICES *runtime = loader->system->RuntimeServices;
	u8 value = 0;
	UINTN size = sizeof(value);

	if (EFI_ERROR(runtime->GetVariable((CHAR16 *)(uintptr_t)u"SecureBoot", &global_variable, NULL, &size, &value)))
		return "the firmware has none";
	return value ? "on" : "off";
}

static void tell_of_firmware(const struct loader *loader)
{
	const EFI_SYSTEM_TABLE *system = loader->system;
	char vendor[100] = "";
	size_t length = 0;

	while (system->FirmwareVendor && system->FirmwareVendor[length] && length < 32)
		length++;
	if (length)
		text_from_ucs2(vendor, sizeof(vendor), system->FirmwareVendor, length);
	tell("firmware: \"%s\", revision 0x%x, UEFI %u.%u", vendor, system->FirmwareRevision, system->Hdr.Revision >> 16,
		 (system->Hdr.Revision & 0xffff) / 10);
	tell("Secure Boot: %s", state_of_secure_boot(loader));
}

/* SDM "Update Signature and Verification": CPUID puts it there. The write of 0 before it, which would tell 0 from old, is left out. */
static void tell_of_microcode(const struct loader *loader)
{
	u32 leaf[4];

	if (!text_equal(loader->machine.vendor, "GenuineIntel"))
		return;
	read_cpuid(1, 0, leaf);
	tell("microcode: revision 0x%x", (u32)(read_msr(IA32_BIOS_SIGN_ID) >> 32));
}

/* Memory that an operating system may use, as the firmware's map has it now. */
static void tell_of_memory(const struct loader *loader)
{
	struct memory_map map;
	u64 pages = 0;

	if (EFI_ERROR(memory_map_get(loader, &map)))
		return;
	for (UINTN i = 0; i < map.count; i++) {
		const EFI_MEMORY_DESCRIPTOR *d = memory_map_at(&map, i);

		if (d->Type == EfiConventionalMemory || (d->Type >= EfiLoaderCode && d->Type <= EfiBootServicesData))
			pages += d->NumberOfPages;
	}
	loader->boot->FreePool(map.bytes);
	tell("memory: %lu MB", pages / PAGES_PER_MEGABYTE);
}

struct look {
	struct machine machine;
	volatile bool done;
};

static VOID EFIAPI look_at_itself(VOID *argument)
{
	struct look *look = argument;

	look_at_processor(&look->machine);
	look->done = true;
}

static u32 tell_of_faults(const struct machine *machine, u32 apic_id)
{
	struct machine_faults faults;
	char what[120];

	machine_check(machine, &faults);
	for (u32 i = 0; i < faults.count; i++) {
		text_format(what, sizeof(what), "on the processor with APIC ID %u: %s", apic_id, faults.fault[i].what);
		finding(false, what, "needed on each processor", faults.fault[i].cause, faults.fault[i].cure);
	}
	return faults.count;
}

/* Another processor. What it must have it must have as the boot processor has it: Testudo decides once for all. */
static u32 check_processor(const struct loader *loader, struct mp_services *mp, u32 index)
{
	static struct look look;
	const struct machine *own = &loader->machine;
	u32 apic_id = loader->processor[index].apic_id, lacking;

	memset(&look, 0, sizeof(look));
	if (EFI_ERROR(mp->start_one(mp, look_at_itself, loader->processor_number[index], NULL, PATIENCE, &look, NULL)) || !look.done) {
		complain("  MISSING  an answer of the processor with APIC ID %u: cause: the firmware does not start it; "
			 "cure: cpus = %u leaves others out", apic_id, index);
		return 1;
	}
	lacking = tell_of_faults(&look.machine, apic_id);
	if (memcmp(&look.machine.basic, &own->basic, sizeof(*own) - offsetof(struct machine, basic)))
		tell("  note: the VMX capabilities of the processor with APIC ID %u differ from the boot processor's", apic_id);
	return lacking;
}

static u32 check_processors(struct loader *loader)
{
	struct mp_services *mp;
	u32 lacking = 0;

	if (EFI_ERROR(choose_processors(loader)))
		return 1;
	tell("processors: %u, of which %u would run under Testudo", loader->processors_present, loader->processors);
	/* What this one lacks, all lack; and where there are no MP Services there is no other. */
	if (loader->faults.count || EFI_ERROR(loader->boot->LocateProtocol(&mp_services_protocol, NULL, (void **)&mp)))
		return 0;
	for (u32 i = 0; i < loader->processors; i++)
		if (!loader->processor[i].is_boot_processor)
			lacking += check_processor(loader, mp, i);
	if (!lacking)
		tell("  found    all that is needed, on each of them");
	return lacking;
}

/* By taking it and giving it back: a size alone would not tell whether code may run there. */
static u32 check_block(struct loader *loader)
{
	if (EFI_ERROR(reserve_block(loader, loader->processors)))
		return !finding(false, "memory for Testudo", "its block", "the line above tells", "the line above tells");
	release_block(loader);
	finding(true, "memory for Testudo", "a block in one piece, where code may run; given back", NULL, NULL);
	return 0;
}

static void check_tables(struct loader *loader)
{
	if (!finding(acpi_root(loader->system), "ACPI tables", "suspend to RAM is hidden there, and processors that are left out",
		     "the firmware has none", "none; Linux then uses one processor"))
		return;
	look_for_sleep(loader);
	tell("  note: %u port%s of sleep registers would be watched", loader->sleep_ports.count,
		 loader->sleep_ports.count == 1 ? "" : "s");
}

static u32 check_all(struct loader *loader)
{
	u32 lacking;

	tell("check: what is on this machine; nothing is started or changed");
	tell_of_firmware(loader);
	tell_of_microcode(loader);
	tell_of_memory(loader);
	lacking = report_machine(&loader->machine, put, NULL);
	tell("of the firmware:");
	lacking += check_processors(loader);
	lacking += check_block(loader);
	check_tables(loader);
	report_verdict(lacking, put, NULL);
	return lacking;
}

static u32 check_and_save(struct loader *loader)
{
	char *text;
	const char *why;
	u32 lacking;

	if (EFI_ERROR(loader->boot->AllocatePool(EfiLoaderData, SAVED_SIZE, (void **)&text))) {
		complain("there is no memory to save this in");
		return check_all(loader);
	}
	output_copy(text, SAVED_SIZE);
	tell("Testudo " TESTUDO_VERSION_TEXT);
	lacking = check_all(loader);
	why = save_file(loader, SAVED_AS, text, output_copied());
	output_copy(NULL, 0);
	loader->boot->FreePool(text);
	if (why)
		complain("check: " SAVED_AS " is not saved: %s", why);
	else
		tell("check: saved as " SAVED_AS);
	return lacking;
}

EFI_STATUS check_and_return(struct loader *loader)
{
	u32 lacking = loader->config.check == CONFIG_CHECK_SAVE ? check_and_save(loader) : check_all(loader);

	tell("check: done; returning to the firmware");
	wait_for_reader(loader);
	return lacking ? EFI_UNSUPPORTED : EFI_SUCCESS;
}
