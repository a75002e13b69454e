/* SPDX-License-Identifier: MIT */
/*
 * See boot/uefi/processors.h. A processor that is not under Testudo is safe only as long
 * as L1 does not start it, so it is hidden wherever L1 looks for processors.
 */
#include "boot/uefi/processors.h"

#include "boot/uefi/acpi_look.h"
#include "boot/uefi/mp_services.h"
#include "boot/uefi/output.h"
#include "boot/uefi/ports.h"

static EFI_GUID mp_services_protocol = MP_SERVICES_GUID;

/* CPUID.1:EBX[31:24]. */
static u32 own_apic_id(void)
{
	u32 leaf[4];

	read_cpuid(1, 0, leaf);
	return leaf[1] >> 24;
}

/* MP Services and how many processors they know; 0 where there are none. */
static UINTN count_processors(const struct loader *loader, struct mp_services **mp)
{
	UINTN count = 0, enabled;

	if (EFI_ERROR(loader->boot->LocateProtocol(&mp_services_protocol, NULL, (void **)mp)) ||
	    EFI_ERROR((*mp)->get_count(*mp, &count, &enabled)))
		return 0;
	return count;
}

static bool is_enabled(struct mp_services *mp, UINTN number, struct processor_information *cpu)
{
	return !EFI_ERROR(mp->get_information(mp, number, cpu)) && (cpu->status & PROCESSOR_IS_ENABLED);
}

static void choose(struct loader *loader, u32 apic_id, UINTN number, bool is_boot_processor)
{
	loader->processor[loader->processors] = (struct handoff_cpu){ apic_id, is_boot_processor };
	loader->processor_number[loader->processors++] = number;
}

/* How many the configuration, the handoff and the processor allow, the boot processor among them. */
static u32 most_processors(const struct loader *loader)
{
	bool all = loader->config.cpus == CONFIG_ALL_CPUS || loader->config.cpus > HANDOFF_MAX_CPUS;

	return machine_processors(&loader->machine, all ? HANDOFF_MAX_CPUS : loader->config.cpus);
}

EFI_STATUS choose_processors(struct loader *loader)
{
	struct mp_services *mp;
	struct processor_information cpu;
	UINTN count = count_processors(loader, &mp);
	u32 most = most_processors(loader), others = most - 1;

	if (!count) {
		say("the firmware has no MP Services: only this processor is launched");
		choose(loader, own_apic_id(), 0, true);
		loader->processors_present = 1;
		return EFI_SUCCESS;
	}
	for (UINTN i = 0; i < count; i++) {
		bool is_boot_processor;

		if (!is_enabled(mp, i, &cpu))
			continue;
		loader->processors_present++;
		is_boot_processor = cpu.status & PROCESSOR_IS_BOOT_PROCESSOR;
		if (!is_boot_processor && !others)
			continue;
		others -= !is_boot_processor;
		choose(loader, (u32)cpu.apic_id, i, is_boot_processor);
	}
	if (loader->processors_present <= most || loader->config.cpus != CONFIG_ALL_CPUS ||
	    loader->config.unlaunched == CONFIG_UNLAUNCHED_LEAVE)
		return EFI_SUCCESS;
	if (most == 1) {
		complain("there are %u processors, and L1 could start only one: they lack the activity state wait-for-SIPI "
			 "(IA32_VMX_MISC bit 8); cure: cpus = 1 hides the others from L1", loader->processors_present);
		return EFI_UNSUPPORTED;
	}
	complain("there are %u processors, and Testudo launches at most %u; cure: cpus = %u hides the others from L1",
		 loader->processors_present, HANDOFF_MAX_CPUS, HANDOFF_MAX_CPUS);
	return EFI_UNSUPPORTED;
}

static bool is_launched(const struct loader *loader, u64 apic_id)
{
	for (u32 i = 0; i < loader->launched; i++)
		if (loader->launched_apic_id[i] == apic_id)
			return true;
	return false;
}

/* NULL, or why a processor stays where L1 can start it. */
static const char *hide_in_mp_services(const struct loader *loader, u32 *disabled)
{
	struct mp_services *mp;
	struct processor_information cpu;
	UINTN count = count_processors(loader, &mp);

	for (UINTN i = 0; i < count; i++) {
		if (!is_enabled(mp, i, &cpu) || is_launched(loader, cpu.apic_id))
			continue;
		if (EFI_ERROR(mp->enable_disable(mp, i, FALSE, NULL)))
			return "the firmware's MP Services do not disable it";
		++*disabled;
		say("processor with APIC ID %u is hidden from L1", (u32)cpu.apic_id);
	}
	return NULL;
}

EFI_STATUS hide_other_processors(const struct loader *loader)
{
	u32 disabled = 0, cleared = 0;
	const char *why = hide_in_mp_services(loader, &disabled);

	if (!why)
		why = hide_in_madt(loader, &cleared);
	if (cleared)
		say("%u entr%s of the MADT can no longer be started by L1", cleared, cleared == 1 ? "y" : "ies");
	/* With every processor under Testudo, a MADT that cannot be read hides nothing that matters. */
	if (!why || loader->launched == loader->processors_present)
		return EFI_SUCCESS;
	complain("a processor that is not under Testudo cannot be hidden from L1: %s", why);
	return EFI_UNSUPPORTED;
}
