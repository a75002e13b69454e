/* SPDX-License-Identifier: MIT */
/*
 * Reads the configuration from the loader's own volume and load options, and
 * makes device paths of files there. Failures leave the defaults in force.
 */
#include "boot/uefi/own_volume.h"

#include "arch/string.h"
#include "boot/uefi/text.h"

#define CONFIG_FILE u"\\EFI\\testudo\\testudo.cfg"
#define PATH_UNITS 1024

static EFI_GUID file_system_protocol = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
static EFI_GUID device_path_protocol = EFI_DEVICE_PATH_PROTOCOL_GUID;

/*
 * A handle with this name exists as soon as the firmware has run Testudo once.
 * A second run then takes no L1 image from the file, which would be the same
 * one again, and so on without end.
 */
static EFI_GUID testudo_was_here = {
	0x9a1d6b5e, 0x64b7, 0x4c3e, { 0x8f, 0x52, 0x0d, 0x7e, 0x31, 0xc4, 0xa9, 0x66 }
};

/* What it tells: bit n of `running` is set while entry n of that volume's file runs, so that an entry cannot name itself without end. */
struct mark {
	EFI_HANDLE volume;
	u32 running;
};

/* NULL: it has been left by a run without entries, or on another volume, or not at all. */
static struct mark *find_mark(const struct loader *loader)
{
	struct mark *mark;

	if (EFI_ERROR(loader->boot->LocateProtocol(&testudo_was_here, NULL, (void **)&mark)) || !mark ||
	    mark->volume != loader->self->DeviceHandle)
		return NULL;
	return mark;
}

void leave_mark(const struct loader *loader)
{
	EFI_HANDLE handle = NULL;
	struct mark *mark = NULL;

	if (!loader->started_before) {
		if (!EFI_ERROR(loader->boot->AllocatePool(EfiBootServicesData, sizeof(*mark), (void **)&mark)))
			*mark = (struct mark){ loader->self->DeviceHandle, 0 };
		/* On a handle of its own, so that it outlives this image. */
		loader->boot->InstallProtocolInterface(&handle, &testudo_was_here, EFI_NATIVE_INTERFACE, mark);
	}
	mark = find_mark(loader);
	if (mark && loader->uses_entry)
		mark->running |= 1u << loader->entry;
}

void lift_mark(const struct loader *loader)
{
	struct mark *mark = find_mark(loader);

	if (mark && loader->uses_entry)
		mark->running &= ~(1u << loader->entry);
}

bool entry_is_running(const struct loader *loader, u32 entry)
{
	const struct mark *mark = find_mark(loader);

	static_assert(CONFIG_ENTRIES <= 32, "mark.running has a bit for each");
	return mark && (mark->running >> entry & 1);
}

/* Reads at most `size` bytes of the configuration file; false if there is none. */
static bool read_file(const struct loader *loader, char *text, UINTN *size)
{
	EFI_FILE_IO_INTERFACE *volume;
	EFI_FILE *root, *file;
	EFI_STATUS status;

	if (!loader->self->DeviceHandle ||
	    EFI_ERROR(loader->boot->HandleProtocol(loader->self->DeviceHandle, &file_system_protocol,
						   (void **)&volume)) ||
	    EFI_ERROR(volume->OpenVolume(volume, &root)))
		return false;
	status = root->Open(root, &file, (CHAR16 *)(uintptr_t)CONFIG_FILE, EFI_FILE_MODE_READ, 0);
	if (!EFI_ERROR(status)) {
		status = file->Read(file, size, text);
		file->Close(file);
	}
	root->Close(root);
	return !EFI_ERROR(status);
}

static void read_load_options(struct loader *loader, struct config_notes *notes)
{
	static char text[CONFIG_OPTIONS_SIZE];
	const u16 *options = loader->self->LoadOptions;
	size_t units = loader->self->LoadOptionsSize / sizeof(*options);
	size_t length;

	/* Boot managers also put binary data there: that is not for us. */
	if (!options || ((uintptr_t)options & 1) || loader->self->LoadOptionsSize % sizeof(*options))
		return;
	length = text_from_ucs2(text, sizeof(text), options, units);
	config_read_load_options(&loader->config, notes, text, length);
}

void read_configuration(struct loader *loader)
{
	void *mark;
	UINTN size = CONFIG_FILE_LIMIT;

	config_defaults(&loader->config);
	loader->started_before = !EFI_ERROR(loader->boot->LocateProtocol(&testudo_was_here, NULL, &mark));
	loader->config_missing = true;
	if (!EFI_ERROR(loader->boot->AllocatePool(EfiLoaderData, size, (void **)&loader->config_text)) &&
	    read_file(loader, loader->config_text, &size)) {
		config_read_file(&loader->config, &loader->notes, loader->config_text, size);
		loader->config_missing = false;
		loader->config_cut = size == CONFIG_FILE_LIMIT;
	}
	if (loader->started_before) {
		loader->config.l1[0] = '\0';
		loader->config.options[0] = '\0';
	}
	read_load_options(loader, &loader->notes);
}

void use_entry(struct loader *loader, u32 entry)
{
	config_use_entry(&loader->config, loader->config_text, entry);
	/* They win, and have had their notes. */
	read_load_options(loader, NULL);
	loader->entry = entry;
	loader->uses_entry = true;
}

/* Bytes of a device path before its end node. */
static UINTN path_length(EFI_DEVICE_PATH *path)
{
	EFI_DEVICE_PATH *node = path;

	while (!IsDevicePathEnd(node))
		node = NextDevicePathNode(node);
	return (UINTN)((const u8 *)node - (const u8 *)path);
}

EFI_DEVICE_PATH *own_volume_path(const struct loader *loader, const char *path)
{
	static u16 name[PATH_UNITS];
	EFI_DEVICE_PATH *volume, *result, node;
	UINTN before, units;
	u8 *at;

	if (!loader->self->DeviceHandle ||
	    EFI_ERROR(loader->boot->HandleProtocol(loader->self->DeviceHandle, &device_path_protocol,
						   (void **)&volume)))
		return NULL;
	before = path_length(volume);
	units = text_to_ucs2(name, PATH_UNITS, path) + 1;
	if (EFI_ERROR(loader->boot->AllocatePool(EfiLoaderData, before + units * 2 + 2 * sizeof(node),
						 (void **)&result)))
		return NULL;

	at = (u8 *)result;
	memcpy(at, volume, before);
	at += before;
	node = (EFI_DEVICE_PATH){ .Type = MEDIA_DEVICE_PATH, .SubType = MEDIA_FILEPATH_DP };
	SetDevicePathNodeLength(&node, units * 2 + sizeof(node));
	memcpy(at, &node, sizeof(node));
	memcpy(at + sizeof(node), name, units * 2);
	at += sizeof(node) + units * 2;
	SetDevicePathEndNode(&node);
	memcpy(at, &node, sizeof(node));
	return result;
}

bool has_own_volume(const struct loader *loader)
{
	void *volume;

	return loader->self->DeviceHandle &&
	       !EFI_ERROR(loader->boot->HandleProtocol(loader->self->DeviceHandle, &file_system_protocol, &volume));
}
