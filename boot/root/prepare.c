/* SPDX-License-Identifier: MIT */
/*
 * The once-only preparation of memory: see boot/root/prepare.h. The stacks of
 * all CPUs are laid out here, so that the page tables with their guard pages
 * are complete before any CPU runs on them.
 */
#include "boot/root/prepare.h"

#include "arch/once.h"
#include "boot/root/host_cpu.h"
#include "drivers/uart.h"
#include "mm/host_paging.h"
#include "mm/image.h"
#include "mm/page_alloc.h"
#include "mm/phys.h"

static struct {
	struct once once;
	u64 status;			/* enum launch_status */
	struct host_paging paging;
	struct cpu_area *area[HANDOFF_MAX_CPUS];
} prepared;

/* A console in memory is mapped at VA = PA, and must not give a way to what is not the device's. */
static bool console_is_sound(const struct handoff *handoff)
{
	const struct handoff_uart *uart = &handoff->console.uart;
	u64 page = align_down(uart->base, PAGE_SIZE);

	if (uart->kind != CONSOLE_MEMORY_16550)
		return uart->kind <= CONSOLE_MEMORY_16550;
	if (page == 0 || page >= UART_ADDRESS_END || uart_span(uart) > page + PAGE_SIZE - uart->base ||
	    page - handoff->block_base < handoff->block_size)
		return false;
	for (u32 i = 0; i < handoff->range_count; i++)
		if (page - handoff->ranges[i].base < handoff->ranges[i].size && handoff_type_is_memory(handoff->ranges[i].type))
			return false;
	return true;
}

static bool handoff_is_sound(const struct handoff *handoff)
{
	u64 image = (u64)(uintptr_t)image_start;

	return handoff->magic == HANDOFF_MAGIC && handoff->version == HANDOFF_VERSION &&
	       handoff->size == sizeof(*handoff) && handoff->block_base == align_down(handoff->block_base, SIZE_2M) &&
	       handoff->block_size == align_down(handoff->block_size, SIZE_2M) && handoff->block_size != 0 &&
	       handoff->image_base == image && image >= handoff->block_base &&
	       handoff->free_base >= (u64)(uintptr_t)image_end &&
	       handoff->free_base < handoff->block_base + handoff->block_size &&
	       handoff->cpu_count >= 1 && handoff->cpu_count <= HANDOFF_MAX_CPUS &&
	       handoff->sleep_port_count <= HANDOFF_SLEEP_PORTS && handoff->range_count <= HANDOFF_MAX_RANGES && console_is_sound(handoff);
}

/* The stack's top, above its pages and the guard page below them; 0 without memory. */
static u64 make_stack(u64 pages)
{
	u8 *bottom = page_alloc_contiguous(pages + 1);

	if (bottom == NULL)
		return 0;
	host_paging_guard(&prepared.paging, bottom);
	return (u64)(uintptr_t)bottom + (pages + 1) * PAGE_SIZE;
}

static struct cpu_area *make_cpu_area(const struct handoff *handoff, u32 index)
{
	struct cpu_area *area = page_alloc_contiguous(CPU_AREA_PAGES);

	if (area == NULL)
		return NULL;
	area->cpu.self = &area->cpu;
	area->cpu.index = index;
	area->cpu.handoff = handoff;
	area->cpu.vcpu = &area->vcpu;
	area->cpu.stack_top = make_stack(STACK_PAGES);
	if (area->cpu.stack_top == 0)
		return NULL;
	for (u32 i = 0; i < IST_COUNT; i++) {
		area->cpu.ist_top[i] = make_stack(IST_STACK_PAGES);
		if (area->cpu.ist_top[i] == 0)
			return NULL;
	}
	return area;
}

static u64 end_of_ram(const struct handoff *handoff)
{
	u64 end = 0;

	for (u32 i = 0; i < handoff->range_count; i++)
		if (handoff->ranges[i].base + handoff->ranges[i].size > end)
			end = handoff->ranges[i].base + handoff->ranges[i].size;
	return end;
}

static u64 prepare_once(const struct handoff *handoff)
{
	hpa_t base = hpa(handoff->block_base);

	page_alloc_init(hpa(handoff->free_base), hpa(handoff->block_base + handoff->block_size));
	phys_init(base, handoff->block_size, 0);
	if (!host_paging_build(&prepared.paging, base, handoff->block_size, end_of_ram(handoff)))
		return LAUNCH_NO_MEMORY;
	if (handoff->console.uart.kind == CONSOLE_MEMORY_16550 &&
	    !host_paging_map_device(&prepared.paging, hpa(align_down(handoff->console.uart.base, PAGE_SIZE))))
		return LAUNCH_NO_MEMORY;
	for (u32 i = 0; i < handoff->cpu_count; i++) {
		prepared.area[i] = make_cpu_area(handoff, i);
		if (prepared.area[i] == NULL)
			return LAUNCH_NO_MEMORY;
	}
	return LAUNCH_OK;
}

u64 root_prepare(const struct handoff *handoff, u32 cpu_index, u64 *stack_top)
{
	if (!handoff_is_sound(handoff) || cpu_index >= handoff->cpu_count)
		return LAUNCH_BAD_HANDOFF;
	if (once_begin(&prepared.once)) {
		prepared.status = prepare_once(handoff);
		once_end(&prepared.once);
	}
	if (prepared.status == LAUNCH_OK)
		*stack_top = prepared.area[cpu_index]->cpu.stack_top;
	return prepared.status;
}

struct cpu_area *root_cpu_area(u32 cpu_index)
{
	return prepared.area[cpu_index];
}

u64 root_cr3(bool la57)
{
	return host_paging_cr3(&prepared.paging, la57);
}

void root_open_direct_map(const struct handoff *handoff)
{
	phys_init(hpa(handoff->block_base), handoff->block_size, prepared.paging.direct_map_size);
}
