/* SPDX-License-Identifier: MIT */
/*
 * The loader, as a story: read the configuration, look at the
 * machine, take one block of memory, place the root kernel there, launch it on
 * every processor, and, a guest from then on, start L1. Whatever goes wrong is
 * said in plain words, and the firmware gets control back.
 */
#include "arch/version.h"
#include "boot/uefi/acpi_look.h"
#include "boot/uefi/check.h"
#include "boot/uefi/handoff_fill.h"
#include "boot/uefi/last_log.h"
#include "boot/uefi/launch.h"
#include "boot/uefi/loader.h"
#include "boot/uefi/machine_look.h"
#include "boot/uefi/menu.h"
#include "boot/uefi/output.h"
#include "boot/uefi/own_volume.h"
#include "boot/uefi/packed.h"
#include "boot/uefi/processors.h"
#include "boot/uefi/reserve.h"
#include "boot/uefi/start_l1.h"
#include "drivers/log_ring.h"

static EFI_GUID loaded_image_protocol = EFI_LOADED_IMAGE_PROTOCOL_GUID;

static void introduce(const struct loader *loader)
{
	char line[CONFIG_LINE_SIZE];

	say("Testudo " TESTUDO_VERSION_TEXT "%s", loader->machine.is_testudo ? ", started under Testudo" : "");
	if (loader->config_missing)
		say("no \\EFI\\testudo\\testudo.cfg%s: defaults are in force", has_own_volume(loader) ? " on this volume" :
		    ", since Testudo was started from no file system");
	if (loader->config_cut)
		complain("testudo.cfg is longer than 64 KB; only its beginning was read");
	for (u32 i = 0; i < loader->notes.count; i++) {
		config_describe(&loader->config, &loader->notes.note[i], line, sizeof(line));
		complain("%s", line);
	}
	if (loader->notes.dropped)
		complain("and %u more such lines", loader->notes.dropped);
}

/* Does the configuration let L1 be started without Testudo? */
static bool goes_on_without(const struct loader *loader)
{
	complain_of_machine(loader);
	if (loader->config.unsupported == CONFIG_UNSUPPORTED_BOOT)
		return true;
	complain("returning to the firmware (unsupported = boot would start L1 without Testudo)");
	wait_for_reader(loader);
	return false;
}

static const char *place_image(struct loader *loader)
{
	const struct first_stage *first = loader->first;
	u64 base = loader->block_base + LOG_RING_BYTES;
	const char *error = first->measure(first->kernel, first->kernel_size, &loader->kernel);

	if (!error && LOG_RING_BYTES + loader->kernel.size + sizeof(struct handoff) + 4096 > loader->block_size / 2)
		error = "the kernel image does not fit in the reserved block";
	return error ? error : first->place(first->kernel, first->kernel_size, &loader->kernel, (u8 *)(uintptr_t)base, base);
}

static EFI_STATUS place_kernel(struct loader *loader)
{
	const char *error = place_image(loader);

	if (error)
		complain("%s", error);
	return error ? EFI_LOAD_ERROR : EFI_SUCCESS;
}

static EFI_STATUS go_beneath_firmware(struct loader *loader)
{
	EFI_STATUS status = choose_processors(loader);

	if (!EFI_ERROR(status))
		status = reserve_block(loader, loader->processors);
	if (EFI_ERROR(status))
		return status;
	look_for_sleep(loader);
	begin_log(loader);
	status = place_kernel(loader);
	if (!EFI_ERROR(status))
		status = fill_handoff(loader);
	if (EFI_ERROR(status)) {
		release_block(loader);
		return status;
	}
	status = launch_all(loader);
	/* From here on as a guest. The tables are L1's: they are changed only now that Testudo runs. */
	if (!EFI_ERROR(status))
		status = hide_other_processors(loader);
	if (!EFI_ERROR(status))
		hide_sleep(loader);
	return status;
}

EFI_STATUS loader_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system, const struct first_stage *first)
{
	static struct loader loader;
	EFI_STATUS status;

	loader.image = image;
	loader.system = system;
	loader.boot = system->BootServices;
	loader.first = first;
	status = loader.boot->HandleProtocol(image, &loaded_image_protocol, (void **)&loader.self);
	if (EFI_ERROR(status))
		return status;

	read_configuration(&loader);
	output_open(&loader);
	look_at_machine(&loader);
	introduce(&loader);
	if (loader.config.check)
		return check_and_return(&loader);
	if (loader.faults.count && !goes_on_without(&loader))
		return EFI_UNSUPPORTED;
	tell_last_log(&loader);
	status = choose_entry(&loader);
	if (EFI_ERROR(status))
		return status;
	if (loader.faults.count) {
		complain("going on without Testudo (unsupported = boot)");
		return start_l1(&loader);
	}
	status = go_beneath_firmware(&loader);
	if (EFI_ERROR(status)) {
		complain(loader.launched ? "returning to the firmware; switch the machine off before it is used"
					 : "Testudo was not started; returning to the firmware");
		wait_for_reader(&loader);
		return status;
	}
	return start_l1(&loader);
}
