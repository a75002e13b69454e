/* SPDX-License-Identifier: MIT */
/*
 * Loads and starts L1's image from the loader's own volume, with its load
 * options.
 */
#include "boot/uefi/start_l1.h"

#include "boot/uefi/output.h"
#include "boot/uefi/own_volume.h"
#include "boot/uefi/text.h"

static EFI_GUID loaded_image_protocol = EFI_LOADED_IMAGE_PROTOCOL_GUID;

static const char *why_not_loaded(EFI_STATUS status)
{
	switch (status) {
	case EFI_NOT_FOUND:
		return "there is no such file";
	case EFI_SECURITY_VIOLATION:
	case EFI_ACCESS_DENIED:
		return "Secure Boot does not trust it; sign it with a key that the firmware has in db";
	case EFI_UNSUPPORTED:
	case EFI_LOAD_ERROR:
		return "it is no UEFI application for this machine";
	case EFI_OUT_OF_RESOURCES:
		return "the firmware has too little memory for it";
	default:
		return "the firmware gives no reason";
	}
}

/* The options must live as long as the image, so they are static. */
static EFI_STATUS give_options(const struct loader *loader, EFI_HANDLE image)
{
	static u16 options[CONFIG_OPTIONS_SIZE];
	EFI_LOADED_IMAGE *loaded;
	size_t units;
	EFI_STATUS status = loader->boot->HandleProtocol(image, &loaded_image_protocol, (void **)&loaded);

	if (EFI_ERROR(status))
		return status;
	units = text_to_ucs2(options, CONFIG_OPTIONS_SIZE, loader->config.options) + 1;
	loaded->LoadOptionsSize = (UINT32)(units * sizeof(options[0]));
	loaded->LoadOptions = options;
	return EFI_SUCCESS;
}

static EFI_STATUS load(const struct loader *loader, EFI_HANDLE *image)
{
	EFI_DEVICE_PATH *path = own_volume_path(loader, loader->config.l1);
	EFI_STATUS status;

	if (!path)
		return EFI_NOT_FOUND;
	status = loader->boot->LoadImage(FALSE, loader->image, path, NULL, 0, image);
	loader->boot->FreePool(path);
	/* Secure Boot's refusal leaves an image that may not be started. */
	if (status == EFI_SECURITY_VIOLATION && *image)
		loader->boot->UnloadImage(*image);
	return status;
}

static EFI_STATUS start(const struct loader *loader)
{
	EFI_HANDLE image = NULL;
	EFI_STATUS status = load(loader, &image);

	if (EFI_ERROR(status)) {
		complain("cannot load l1 = %s from the volume that Testudo was started from: %s (status %lu)",
			 loader->config.l1, has_own_volume(loader) ? why_not_loaded(status) : "that is no file system",
			 (u64)(status & ~EFI_ERROR_MASK));
		complain("returning to the firmware");
		wait_for_reader(loader);
		return status;
	}
	status = give_options(loader, image);
	if (EFI_ERROR(status)) {
		loader->boot->UnloadImage(image);
		complain("cannot give l1 = %s its load options", loader->config.l1);
		return status;
	}
	say("starting %s%s%s", loader->config.l1, loader->config.options[0] ? " with load options: " : "",
	    loader->config.options);
	/* The firmware's boot watchdog was meant for us, not for L1. */
	loader->boot->SetWatchdogTimer(0, 0, 0, NULL);
	status = loader->boot->StartImage(image, NULL, NULL);
	say("%s has returned with status %lu", loader->config.l1, (u64)(status & ~EFI_ERROR_MASK));
	return status;
}

EFI_STATUS start_l1(struct loader *loader)
{
	EFI_STATUS status;

	leave_mark(loader);
	if (!loader->config.l1[0]) {
		say("no L1 image is configured: the firmware's boot order goes on");
		lift_mark(loader);
		return EFI_NOT_FOUND;
	}
	status = start(loader);
	lift_mark(loader);
	return status;
}
