/* SPDX-License-Identifier: MIT */
/*
 * See boot/uefi/screen_look.h. The glyphs come from the firmware's own font. Nothing is
 * drawn here, and no mode is set.
 */
#include "boot/uefi/screen_look.h"

#include "arch/string.h"
#include "boot/uefi/executable.h"
#include "boot/uefi/memory_map.h"
#include "boot/uefi/output.h"

#define PAGE UINT64_C(4096)
#define GLYPH_WIDTH 8
#define FLAG_OFFSET 2048
#define FLAG UINT64_C(0x4e4545524353)	/* "SCREEN" */

/* UEFI, "EFI_HII_FONT_PROTOCOL": gnu-efi does not have it. */
struct image_output {
	UINT16 width;
	UINT16 height;
	UINT32 *pixels;
};
struct hii_font_protocol {
	void *string_to_image;
	void *string_id_to_image;
	EFI_STATUS (EFIAPI *get_glyph)(const struct hii_font_protocol *this, CHAR16 c, const void *info, struct image_output **image,
				       UINTN *baseline);
	void *get_font_info;
};

static EFI_GUID hii_font_protocol = { 0xe9ca4775, 0x8657, 0x47fc, { 0x97, 0xe7, 0x7e, 0xd6, 0x5a, 0x08, 0x43, 0x24 } };
static EFI_GUID graphics_output = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;

/* The pixel that is brightest; 0 where pixels have not 32 bits. */
static u32 ink_of(const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info)
{
	const EFI_PIXEL_BITMASK *mask = &info->PixelInformation;

	if (info->PixelFormat == PixelRedGreenBlueReserved8BitPerColor || info->PixelFormat == PixelBlueGreenRedReserved8BitPerColor)
		return 0xffffff;
	if (info->PixelFormat == PixelBitMask && (mask->RedMask | mask->GreenMask | mask->BlueMask | mask->ReservedMask) >> 24)
		return mask->RedMask | mask->GreenMask | mask->BlueMask;
	return 0;
}

/* Is none of it memory that anybody could have for something else? */
static bool is_no_ram(const struct loader *loader, u64 base, u64 size)
{
	struct memory_map map;
	bool good = base < base + size && (base + size <= loader->block_base || base >= loader->block_base + loader->block_size);

	if (!good || EFI_ERROR(memory_map_get(loader, &map)))
		return false;
	for (UINTN i = 0; i < map.count; i++) {
		const EFI_MEMORY_DESCRIPTOR *d = memory_map_at(&map, i);

		if (d->Type != EfiReservedMemoryType && d->Type != EfiMemoryMappedIO && d->PhysicalStart < base + size &&
		    base < d->PhysicalStart + d->NumberOfPages * PAGE)
			good = false;
	}
	loader->boot->FreePool(map.bytes);
	return good;
}

/* NULL: it draws, if at all, only by the firmware's code. */
static const EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE *usable_mode(const struct loader *loader, EFI_HANDLE handle)
{
	EFI_GRAPHICS_OUTPUT_PROTOCOL *graphics;
	const EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE *mode;
	u64 bytes;

	if (EFI_ERROR(loader->boot->HandleProtocol(handle, &graphics_output, (void **)&graphics)) || !graphics->Mode ||
	    !graphics->Mode->Info)
		return NULL;
	mode = graphics->Mode;
	bytes = (u64)mode->Info->PixelsPerScanLine * mode->Info->VerticalResolution * sizeof(u32);
	if (!ink_of(mode->Info) || !mode->FrameBufferBase || bytes > mode->FrameBufferSize ||
	    !is_no_ram(loader, mode->FrameBufferBase, bytes))
		return NULL;
	return mode;
}

static const EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE *find_mode(const struct loader *loader)
{
	const EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE *mode = NULL;
	EFI_HANDLE *handles;
	UINTN count = 0;

	if (EFI_ERROR(loader->boot->LocateHandleBuffer(ByProtocol, &graphics_output, NULL, &count, &handles)))
		return NULL;
	for (UINTN i = 0; i < count && !mode; i++)
		mode = usable_mode(loader, handles[i]);
	loader->boot->FreePool(handles);
	return mode;
}

/* Of a blank all pixels are ground, and what is another one is ink. Returns the number of rows, 0 for a glyph that is none of ours. */
static u32 read_glyph(EFI_BOOT_SERVICES *boot, const struct hii_font_protocol *font, u32 n, u32 *ground, u8 rows[HANDOFF_GLYPH_ROWS])
{
	struct image_output *image = NULL;
	u32 height = 0;

	if (EFI_ERROR(font->get_glyph(font, (CHAR16)(' ' + n), NULL, &image, NULL)) || !image)
		return 0;
	if (image->pixels && image->width && image->width <= GLYPH_WIDTH && image->height <= HANDOFF_GLYPH_ROWS) {
		height = image->height;
		if (!n)
			*ground = image->pixels[0];
		for (u32 i = 0; i < height * image->width; i++)
			if (image->pixels[i] != *ground)
				rows[i / image->width] |= (u8)(0x80 >> i % image->width);
	}
	if (image->pixels)
		boot->FreePool(image->pixels);
	boot->FreePool(image);
	return height;
}

static bool read_font(EFI_BOOT_SERVICES *boot, struct handoff_screen *screen)
{
	struct hii_font_protocol *font;
	u32 ground = 0;

	if (EFI_ERROR(boot->LocateProtocol(&hii_font_protocol, NULL, (void **)&font)))
		return false;
	for (u32 n = 0; n < HANDOFF_GLYPHS; n++) {
		u32 rows = read_glyph(boot, font, n, &ground, screen->glyph[n]);

		if (!rows || (n && rows != screen->glyph_rows))
			return false;
		screen->glyph_rows = rows;
	}
	return true;
}

/*
 * A word that ExitBootServices clears. The loader's code may be gone by then, so a page of its own has both the word and
 * what clears it. False: no memory, or code cannot run there.
 */
static bool raise_flag(EFI_BOOT_SERVICES *boot, u64 *address)
{
	/* (event, context): xor eax, eax; mov [rdx], rax; ret */
	static const u8 lower_flag[] = { 0x31, 0xc0, 0x48, 0x89, 0x02, 0xc3 };
	EFI_PHYSICAL_ADDRESS page;
	EFI_EVENT event;

	if (EFI_ERROR(boot->AllocatePages(AllocateAnyPages, EfiBootServicesCode, 1, &page)))
		return false;
	*address = page + FLAG_OFFSET;
	if (make_executable(boot, page, PAGE)) {
		memcpy((void *)(uintptr_t)page, lower_flag, sizeof(lower_flag));
		*(u64 *)(uintptr_t)*address = FLAG;
		if (!EFI_ERROR(boot->CreateEvent(EVT_SIGNAL_EXIT_BOOT_SERVICES, TPL_NOTIFY, (EFI_EVENT_NOTIFY)(uintptr_t)page,
						 (void *)(uintptr_t)*address, &event)))
			return true;
	}
	boot->FreePages(page, 1);
	return false;
}

static void watch(struct handoff_screen *screen, u32 n, const void *word)
{
	screen->watch[n].address = (u64)(uintptr_t)word;
	screen->watch[n].value = *(const u64 *)word;
}

void look_for_screen(struct loader *loader)
{
	struct handoff_screen *screen = &loader->handoff->screen;
	const EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE *mode;
	u64 flag;

	/* Two Testudos would write over each other. */
	if (!loader->config.screen || loader->machine.is_testudo)
		return;
	mode = find_mode(loader);
	if (!mode)
		return;
	if (!read_font(loader->boot, screen)) {
		say("the firmware has no font of 8 by at most %u pixels: what L0 says is not shown on the screen", HANDOFF_GLYPH_ROWS);
		return;
	}
	if (!raise_flag(loader->boot, &flag))
		return;
	/* Firmware's own table loses its boot services at the same time; a mode has a number, and a place. */
	watch(screen, 0, (const void *)(uintptr_t)flag);
	watch(screen, 1, &loader->system->BootServices);
	watch(screen, 2, &mode->MaxMode);
	watch(screen, 3, &mode->FrameBufferBase);
	screen->width = mode->Info->HorizontalResolution;
	screen->height = mode->Info->VerticalResolution;
	screen->stride = mode->Info->PixelsPerScanLine;
	screen->ink = ink_of(mode->Info);
	screen->base = mode->FrameBufferBase;
}
