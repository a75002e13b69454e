/* SPDX-License-Identifier: MIT */
/*
 * See boot/root/screen_output.h. Before each line the words are looked at that the loader
 * has named: firmware changes them when it gives the screen away or sets another mode, and
 * then L0 never draws again. They lie in L1's memory. An L1 that keeps them as they are
 * gets L0's lines on its own screen, and no more: the place was fixed before it ran.
 */
#include "boot/root/screen_output.h"

#include "arch/once.h"
#include "arch/ops.h"
#include "arch/string.h"
#include "drivers/console.h"
#include "drivers/log_ring.h"
#include "drivers/panic.h"
#include "drivers/screen.h"
#include "mm/phys.h"

/* An exception tells of its registers before it is a panic. */
#define LINES_BEFORE_PANIC 10

static struct {
	struct once opened;
	const struct handoff *handoff;
	struct screen screen;
	volatile u32 *pixels;
	bool drawing;
} output;

static bool is_outside_block(const struct handoff *handoff, u64 base, u64 size)
{
	return base + size <= handoff->block_base || base >= handoff->block_base + handoff->block_size;
}

/* The direct map is one piece but for the block. */
static void *pointer_to(const struct handoff *handoff, u64 base, u64 size)
{
	if (base > UINT64_MAX - size || !is_outside_block(handoff, base, size) || phys_to_ptr(hpa(base + size - 1)) == NULL)
		return NULL;
	return phys_to_ptr(hpa(base));
}

static bool firmware_has_it(void)
{
	const struct handoff_screen *about = output.screen.about;

	for (u32 i = 0; i < HANDOFF_SCREEN_WATCHES; i++) {
		const volatile u64 *word = pointer_to(output.handoff, about->watch[i].address, sizeof(*word));

		if (word == NULL || *word != about->watch[i].value)
			return false;
	}
	return true;
}

/* What was said before the panic comes again, now that all before it is gone, and the line that is said now with it. */
static void begin_last_words(void)
{
	const struct log_ring *ring = (const struct log_ring *)(uintptr_t)output.handoff->block_base;
	u32 skip = log_ring_extract(ring, LINES_BEFORE_PANIC, 0, 1).first;
	char line[LOG_RING_LINE];
	struct log_reader reader;

	screen_take_all(&output.screen, output.pixels);
	log_reader_begin(&reader, ring);
	while (log_reader_next(&reader, line))
		if (skip == 0)
			screen_line(&output.screen, output.pixels, line, strlen(line));
		else
			skip--;
}

static void draw(const char *line, size_t length)
{
	if (panic_is_active() && !output.screen.last_words)
		begin_last_words();
	else
		screen_line(&output.screen, output.pixels, line, length);
}

static void show(const char *line, size_t length)
{
	/* A CPU that is just coming in has the firmware's tables: its turn is a later line. */
	if (is_outside_block(output.handoff, read_cr3() & ~UINT64_C(0xfff), 1))
		return;
	/*
	 * In a panic the console's lock is not waited for for long, and a large screen is slow to clear: the line of a CPU that comes
	 * meanwhile is left out here. Whoever does not come back from drawing leaves out all that follow.
	 */
	if (__atomic_exchange_n(&output.drawing, true, __ATOMIC_ACQUIRE))
		return;
	if (firmware_has_it())
		draw(line, length);
	else
		console_set_show(NULL);
	__atomic_store_n(&output.drawing, false, __ATOMIC_RELEASE);
}

void screen_output_open(const struct handoff *handoff)
{
	if (!once_begin(&output.opened))
		return;
	output.handoff = handoff;
	if (screen_init(&output.screen, &handoff->screen)) {
		output.pixels = pointer_to(handoff, handoff->screen.base, screen_bytes(&handoff->screen));
		if (output.pixels != NULL)
			console_set_show(show);
	}
	once_end(&output.opened);
}
