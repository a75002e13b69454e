/* SPDX-License-Identifier: MIT */
/*
 * Calls the kernel's entry on each processor through launch_cpu.asm, the
 * others by MP Services first, and says in plain words what came of it.
 */
#include "boot/uefi/launch.h"

#include "arch/compiler.h"
#include "boot/uefi/mp_services.h"
#include "boot/uefi/output.h"
#include "boot/uefi/reserve.h"

/* Ten seconds, in microseconds: a processor that takes longer does not come back. */
#define LAUNCH_TIMEOUT 10000000
/* One second more, in units of 100 ns. */
#define FIRMWARE_TIMEOUT 110000000

/* Beside enum launch_status. */
#define NOT_RUN 100
#define TIMED_OUT 101
static_assert(LAUNCH_STATUS_COUNT < NOT_RUN, "they must not meet");

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
		return "the firmware could not run it";
	if (status == TIMED_OUT)
		return "it did not come back within ten seconds; the kernel may have said why";
	return status < LAUNCH_STATUS_COUNT && words[status] ? words[status] : "the kernel returned an unknown status";
}

static VOID EFIAPI run_errand(VOID *argument)
{
	struct errand *errand = argument;

	errand->result = launch_cpu(errand->entry, errand->handoff, errand->cpu_index);
}

/*
 * When time is up, firmware resets the processor and waits for it; one that hangs in VMX
 * root operation takes no reset, and then we do not come back either.
 */
static VOID EFIAPI tell_of_firmware(EFI_EVENT event, VOID *number)
{
	(void)event;
	complain("processor %lu does not come back, and the firmware waits for it: switch the machine off", *(const u64 *)number);
}

static u64 launch_other(const struct loader *loader, struct errand *errand)
{
	struct mp_services *mp;
	EFI_EVENT patience = NULL;
	EFI_STATUS status;

	errand->result = NOT_RUN;
	if (EFI_ERROR(loader->boot->LocateProtocol(&mp_services_protocol, NULL, (void **)&mp)))
		return NOT_RUN;
	if (!EFI_ERROR(loader->boot->CreateEvent(EVT_TIMER | EVT_NOTIFY_SIGNAL, TPL_CALLBACK, tell_of_firmware,
						 &errand->cpu_index, &patience)))
		loader->boot->SetTimer(patience, TimerRelative, FIRMWARE_TIMEOUT);
	status = mp->start_one(mp, run_errand, loader->processor_number[errand->cpu_index], NULL, LAUNCH_TIMEOUT,
			       errand, NULL);
	if (patience)
		loader->boot->CloseEvent(patience);
	if (status == EFI_TIMEOUT)
		return TIMED_OUT;
	return EFI_ERROR(status) ? NOT_RUN : errand->result;
}

/* Launches one processor, which on success now runs as a guest. */
static u64 launch_one(struct loader *loader, u32 index)
{
	static struct errand errand;
	const struct handoff_cpu cpu = loader->processor[index];
	u64 result;

	errand = (struct errand){
		.entry = loader->handoff->image_base + loader->kernel.entry, .handoff = loader->handoff, .cpu_index = index,
	};
	if (cpu.is_boot_processor)
		result = launch_cpu(errand.entry, errand.handoff, errand.cpu_index);
	else
		result = launch_other(loader, &errand);
	if (result == LAUNCH_OK)
		loader->launched_apic_id[loader->launched++] = cpu.apic_id;
	else
		complain("processor %u (APIC ID %u) was not launched, status %lu: %s", index, cpu.apic_id, result,
			 words_for(result));
	return result;
}

/* May we go on without this processor? One that is still in the kernel may come back later. */
static bool may_be_left(const struct loader *loader, u64 result)
{
	if (result == TIMED_OUT)
		return false;
	if (loader->config.unlaunched == CONFIG_UNLAUNCHED_LEAVE)
		return true;
	complain("that ends it; unlaunched = leave would go on without this processor");
	return false;
}

EFI_STATUS launch_all(struct loader *loader)
{
	/* The handoff is hidden from us once we are a guest. */
	u32 boot_processor = loader->processors;
	u64 result = LAUNCH_OK;

	for (u32 i = 0; i < loader->processors; i++) {
		if (loader->processor[i].is_boot_processor) {
			boot_processor = i;
			continue;
		}
		result = launch_one(loader, i);
		if (result != LAUNCH_OK && !may_be_left(loader, result))
			break;
		result = LAUNCH_OK;
	}
	if (result == LAUNCH_OK)
		result = boot_processor < loader->processors ? launch_one(loader, boot_processor) : NOT_RUN;
	loader->handoff = NULL;
	if (result == LAUNCH_OK) {
		say("%u of %u processors run under Testudo", loader->launched, loader->processors_present);
		return EFI_SUCCESS;
	}
	if (loader->launched)
		complain("only %u of %u processors run under Testudo", loader->launched, loader->processors_present);
	else if (result != TIMED_OUT)
		release_block(loader);
	return result == TIMED_OUT ? EFI_TIMEOUT : EFI_ABORTED;
}
