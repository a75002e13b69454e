/* SPDX-License-Identifier: MIT */
/*
 * Calls the kernel's entry on each processor through launch_cpu.asm, the
 * others by MP Services first, and says in plain words what came of it.
 */
#include "boot/uefi/launch.h"

#include "boot/uefi/mp_services.h"
#include "boot/uefi/output.h"
#include "boot/uefi/reserve.h"

/* Ten seconds: a processor that takes longer does not come back. */
#define LAUNCH_TIMEOUT 10000000
#define NOT_RUN UINT64_MAX

/* In launch_cpu.asm. It lies in the loader's image, where the guest goes on. */
u64 launch_cpu(u64 entry, struct handoff *handoff, u64 cpu_index);

/* Travels to another processor and back. */
struct errand {
	u64 entry;
	struct handoff *handoff;
	u64 cpu_index;
	volatile u64 result;
};

static EFI_GUID mp_services_protocol = MP_SERVICES_GUID;

static const char *words_for(u64 status)
{
	static const char *const words[LAUNCH_STATUS_COUNT] = {
		[LAUNCH_OK] = "runs under Testudo",
		[LAUNCH_BAD_HANDOFF] = "the kernel does not accept what the loader hands it: "
				       "loader and kernel are of different builds",
		[LAUNCH_NO_MEMORY] = "the reserved block is too small",
		[LAUNCH_FEATURE_CONTROL_LOCKED] =
			"the firmware has locked IA32_FEATURE_CONTROL with VMX off on this processor; "
			"turn VT-x on in its setup, then switch the power off and on",
		[LAUNCH_VMXON_FAILED] = "VMXON failed: another hypervisor may be active on it",
		[LAUNCH_MISSING_CONTROL] = "it lacks a VMX control that Testudo needs",
		[LAUNCH_VMCS_REFUSED] = "it refused the first VM entry; the kernel's line above names the error",
	};

	if (status == NOT_RUN)
		return "the firmware could not run it, or it did not come back within ten seconds";
	return status < LAUNCH_STATUS_COUNT && words[status] ? words[status] : "the kernel returned an unknown status";
}

static VOID EFIAPI run_errand(VOID *argument)
{
	struct errand *errand = argument;

	errand->result = launch_cpu(errand->entry, errand->handoff, errand->cpu_index);
}

static u64 launch_other(const struct loader *loader, struct errand *errand)
{
	struct mp_services *mp;
	EFI_STATUS status;

	errand->result = NOT_RUN;
	if (EFI_ERROR(loader->boot->LocateProtocol(&mp_services_protocol, NULL, (void **)&mp)))
		return NOT_RUN;
	status = mp->start_one(mp, run_errand, loader->processor_number[errand->cpu_index], NULL, LAUNCH_TIMEOUT,
			       errand, NULL);
	return EFI_ERROR(status) ? NOT_RUN : errand->result;
}

/* Launches one processor; true if it now runs as a guest. */
static bool launch_one(struct loader *loader, u32 index)
{
	static struct errand errand;
	const struct handoff_cpu cpu = loader->handoff->cpus[index];
	u64 result;

	errand = (struct errand){
		.entry = loader->block_base + loader->kernel.entry, .handoff = loader->handoff, .cpu_index = index,
	};
	if (cpu.is_boot_processor)
		result = launch_cpu(errand.entry, errand.handoff, errand.cpu_index);
	else
		result = launch_other(loader, &errand);
	if (result != LAUNCH_OK)
		complain("processor %u (APIC ID %u) was not launched, status %lu: %s", index, cpu.apic_id, result,
			 words_for(result));
	return result == LAUNCH_OK;
}

EFI_STATUS launch_all(struct loader *loader)
{
	/* The handoff is hidden from us once we are a guest. */
	u32 count = loader->handoff->cpu_count, launched = 0, boot_processor = count;
	bool failed = false;

	for (u32 i = 0; i < count && !failed; i++) {
		if (loader->handoff->cpus[i].is_boot_processor)
			boot_processor = i;
		else if (launch_one(loader, i))
			launched++;
		else
			failed = true;
	}
	if (!failed && boot_processor < count && launch_one(loader, boot_processor))
		launched++;
	loader->handoff = NULL;
	if (launched == 0) {
		release_block(loader);
		return EFI_ABORTED;
	}
	if (launched < count) {
		complain("only %u of %u processors run under Testudo; switch the machine off, or try cpus = 1",
			 launched, count);
		return EFI_ABORTED;
	}
	say("%u of %u processors run under Testudo", launched, count);
	return EFI_SUCCESS;
}
