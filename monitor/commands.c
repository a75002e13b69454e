/* SPDX-License-Identifier: MIT */
/*
 * The monitor's commands: one table, and a function for each. What a user types wrongly is answered in words. All that a
 * command tells of a processor it has that processor say.
 */
#include "arch/bits.h"
#include "drivers/console.h"
#include "monitor/look.h"
#include "monitor/show_fields.h"
#include "monitor/show_memory.h"
#include "monitor/show_vmcs.h"
#include "monitor/words.h"
#include "vmx/trace_exits.h"

#define MOST_WORDS 4
#define MOST_BYTES 65536
#define FEW_BYTES 256

/* A line in words: the command, and what it is to be done with. */
struct request {
	struct monitor *monitor;
	char *words[MOST_WORDS];
	u32 count;
	const struct command *command;
};

struct command {
	const char *name, *arguments, *help;
	u8 least, most;			/* arguments */
	bool leaves;			/* the guests are to go on */
	void (*run)(struct request *request);
};

static void tell_usage(const struct request *request)
{
	(void)out_line(request->monitor->out, "usage: %s%s%s", request->command->name, *request->command->arguments ? " " : "",
		       request->command->arguments);
}

/* The NULL-terminated rest of what was typed. */
static const char *argument(const struct request *request, u32 number)
{
	return number < request->count ? request->words[number] : NULL;
}

/* On the processor that commands are about. */
static void there(struct request *request, monitor_work *work)
{
	(void)monitor_on(request->monitor, request->monitor->cpu, work, request);
}

/* --- processors ------------------------------------------------------------------------- */

static bool tell_cpu(struct monitor *monitor, struct vcpu *vcpu, void *ignored)
{
	struct state state = look_state(vcpu);

	(void)ignored;
	look_running(monitor, vcpu, &monitor->view[0]);
	return show_cpu(monitor->out, &state, &monitor->view[0], state.cpu == monitor->cpu);
}

static void run_cpus(struct request *request)
{
	for (u32 i = 0; i < request->monitor->handoff->cpu_count; i++)
		if (!monitor_on(request->monitor, i, tell_cpu, NULL))
			return;
}

static void run_cpu(struct request *request)
{
	struct monitor *monitor = request->monitor;
	u64 number;

	if (!words_number(request->words[1], &number) || number >= monitor->handoff->cpu_count) {
		(void)out_line(monitor->out, "CPUs are numbered from 0 to %u", monitor->handoff->cpu_count - 1);
		return;
	}
	monitor->cpu = (u32)number;
	(void)monitor_on(monitor, monitor->cpu, tell_cpu, NULL);
}

static bool tell_where(struct monitor *monitor, struct vcpu *vcpu, void *ignored)
{
	struct state state = look_state(vcpu);

	(void)ignored;
	look_running(monitor, vcpu, &monitor->view[0]);
	if (state.has_current)
		(void)look_vmcs(monitor, vcpu, LOOK_12, &monitor->view[1]);
	return show_where(monitor->out, &state, &monitor->view[0], &monitor->view[1]);
}

static void run_where(struct request *request)
{
	there(request, tell_where);
}

static bool tell_registers(struct monitor *monitor, struct vcpu *vcpu, void *ignored)
{
	struct live_registers live = look_registers(vcpu);

	(void)ignored;
	look_running(monitor, vcpu, &monitor->view[0]);
	return show_registers(monitor->out, &live, &monitor->view[0]);
}

static void run_regs(struct request *request)
{
	there(request, tell_registers);
}

static bool tell_exits(struct monitor *monitor, struct vcpu *vcpu, void *ignored)
{
	struct exit_counts counts;

	(void)ignored;
	look_counts(vcpu, &counts);
	return show_exits(monitor->out, &counts);
}

static void run_exits(struct request *request)
{
	there(request, tell_exits);
}

static bool tell_refusals(struct monitor *monitor, struct vcpu *vcpu, void *ignored)
{
	(void)ignored;
	return show_refusals(monitor->out, &vcpu->nested->refusals);
}

static void run_refusals(struct request *request)
{
	there(request, tell_refusals);
}

/* --- VMCSs ------------------------------------------------------------------------------ */

static bool which_vmcs(const char *word, enum look_which *which)
{
	static const char names[][3] = { [LOOK_12] = "12", [LOOK_02] = "02", [LOOK_01] = "01" };

	for (u32 i = 0; i < array_size(names); i++)
		if (words_equal(word, names[i])) {
			*which = (enum look_which)i;
			return true;
		}
	return false;
}

/* Into one of the monitor's two views, of the VMCS that the word of that number names. False: told why not. */
static bool look_at_word(struct request *request, struct vcpu *vcpu, u32 word, enum look_which *which, struct view *view)
{
	const char *why;

	if (!which_vmcs(request->words[word], which)) {
		tell_usage(request);
		return false;
	}
	why = look_vmcs(request->monitor, vcpu, *which, view);
	if (why)
		(void)out_line(request->monitor->out, "%s", why);
	return !why;
}

static bool tell_vmcs(struct monitor *monitor, struct vcpu *vcpu, void *argument_of)
{
	struct request *request = argument_of;
	enum look_which which;

	return look_at_word(request, vcpu, 1, &which, &monitor->view[0]) &&
	       show_vmcs(monitor->out, &monitor->view[0], argument(request, 2));
}

static void run_vmcs(struct request *request)
{
	there(request, tell_vmcs);
}

static bool tell_diff(struct monitor *monitor, struct vcpu *vcpu, void *argument_of)
{
	struct request *request = argument_of;
	enum look_which which;

	return look_at_word(request, vcpu, 1, &which, &monitor->view[0]) &&
	       look_at_word(request, vcpu, 2, &which, &monitor->view[1]) &&
	       show_diff(monitor->out, &monitor->view[0], &monitor->view[1], argument(request, 3));
}

static void run_diff(struct request *request)
{
	there(request, tell_diff);
}

/* --- memory ----------------------------------------------------------------------------- */

static bool tell_ept(struct monitor *monitor, struct vcpu *vcpu, void *argument_of)
{
	struct request *request = argument_of;
	struct monitor_out *out = monitor->out;
	enum look_which which;
	struct ept_view ept;
	struct ept_end end;
	const char *why;
	u64 address;

	if (!words_hex(request->words[2], &address)) {
		tell_usage(request);
		return true;
	}
	if (!look_at_word(request, vcpu, 1, &which, &monitor->view[0]))
		return true;
	why = look_ept(vcpu, which, &monitor->view[0], &ept);
	if (why)
		return out_line(out, "%s", why);
	if (!show_ept(out, &ept, address, &end))
		return false;
	if (which == LOOK_12 && end.is_mapped && !l1_is_identity(vcpu->nested->memory, l1_gpa(end.address), 1))
		return out_line(out, "memory of Testudo's is there: L1 and L2 find the scratch page in its place");
	return true;
}

static void run_ept(struct request *request)
{
	there(request, tell_ept);
}

/* Of the UEFI specification, "GetMemoryMap()": types of ranges that are RAM, as bits. Reserved ones may be devices. */
#define RAM_TYPES (BITS(7, 1) | BITS(10, 9) | BITS(14, 13))

/* The range of RAM that has this address: how many bytes of it there are from there on. */
static u64 ram_at(const struct handoff *handoff, const struct l1_memory *memory, u64 address)
{
	/* L1 sees the scratch page there. */
	if (address - memory->hidden_base.value < memory->hidden_size)
		return memory->hidden_base.value + memory->hidden_size - address;
	for (u32 i = 0; i < handoff->range_count; i++) {
		const struct handoff_range *range = &handoff->ranges[i];

		if (range->type < 64 && (RAM_TYPES >> range->type & 1) && address - range->base < range->size)
			return range->base + range->size - address;
	}
	return 0;
}

static bool is_ram(const struct handoff *handoff, const struct l1_memory *memory, u64 address, u64 count)
{
	while (count) {
		u64 here = ram_at(handoff, memory, address);

		if (!here)
			return false;
		if (here >= count)
			return true;
		address += here;
		count -= here;
	}
	return true;
}

static void read_l1_bytes(const void *context, u64 address, u8 *bytes, u32 count)
{
	l1_read(context, l1_gpa(address), bytes, count);
}

static bool tell_memory(struct monitor *monitor, struct vcpu *vcpu, void *argument_of)
{
	struct request *request = argument_of;
	const struct l1_memory *memory = vcpu->nested->memory;
	u64 address, count = FEW_BYTES;

	if (!words_hex(request->words[1], &address) ||
	    (request->count > 2 && (!words_number(request->words[2], &count) || !count || count > MOST_BYTES))) {
		tell_usage(request);
		return true;
	}
	if (!l1_is_legal(memory, address) || !l1_is_legal(memory, address + count - 1))
		return out_line(monitor->out, "physical addresses have %u bits here", memory->physical_address_bits);
	if (words_equal(request->command->name, "mem") && !is_ram(monitor->handoff, memory, address, count))
		return out_line(monitor->out, "not all of that is RAM, and a device may react when it is read: mem! does it");
	return show_memory(monitor->out, read_l1_bytes, memory, address, count);
}

static void run_mem(struct request *request)
{
	there(request, tell_memory);
}

/* --- trace, log --------------------------------------------------------------------------- */

static bool turn_trace(struct monitor *monitor, struct vcpu *vcpu, void *on)
{
	if (!vcpu->trace.ring.header)
		return out_line(monitor->out, "CPU %u has no trace ring: testudo.cfg needs a line `trace = on`", vcpu->cpu->index);
	if (*(bool *)on)
		trace_start(vcpu);
	else
		trace_stop(vcpu);
	return out_line(monitor->out, "CPU %u: trace is %s", vcpu->cpu->index, trace_is_on(vcpu) ? "on" : "off");
}

/* The lines of docs/tracing.md. */
static bool dump_trace(struct monitor *monitor, struct vcpu *vcpu, void *ignored)
{
	const struct trace_ring *ring = &vcpu->trace.ring;
	char line[TRACE_LINE_SIZE];

	(void)ignored;
	if (!ring->header)
		return out_line(monitor->out, "CPU %u has no trace ring: testudo.cfg needs a line `trace = on`", vcpu->cpu->index);
	for (u64 i = 0; i < trace_ring_lines(ring); i++) {
		trace_ring_line(ring, i, line);
		if (!out_text(monitor->out, line) || !out_text(monitor->out, "\n"))
			return false;
	}
	return true;
}

static void run_trace(struct request *request)
{
	bool on = words_equal(request->words[1], "on");

	if (words_equal(request->words[1], "dump")) {
		there(request, dump_trace);
		return;
	}
	if (!on && !words_equal(request->words[1], "off")) {
		tell_usage(request);
		return;
	}
	for (u32 i = 0; i < request->monitor->handoff->cpu_count; i++)
		if (!monitor_on(request->monitor, i, turn_trace, &on))
			return;
}

static void run_log(struct request *request)
{
	static const char names[][6] = { [LOG_QUIET] = "quiet", [LOG_INFO] = "info", [LOG_DEBUG] = "debug", [LOG_TRACE] = "trace" };
	struct monitor_out *out = request->monitor->out;

	for (u32 i = 0; request->count > 1 && i < array_size(names); i++)
		if (words_equal(request->words[1], names[i])) {
			console_set_level((enum log_level)i);
			return;
		}
	if (request->count > 1)
		tell_usage(request);
	else
		(void)out_line(out, "the level is %s", names[console_level()]);
}

/* --- the monitor itself ------------------------------------------------------------------- */

static void run_reboot(struct request *request)
{
	(void)out_line(request->monitor->out, "reset");
	monitor_reset();
}

static void run_help(struct request *request);
static void run_continue(struct request *request)
{
	(void)request;
}

/* Help fits into a line. */
static const struct command commands[] = {
	{ "help", "[COMMAND]", "this list, or one line of it", 0, 1, false, run_help },
	{ "cpus", "", "each processor: L1 or L2, mode, address", 0, 0, false, run_cpus },
	{ "cpu", "N", "the processor that the other commands are about", 1, 1, false, run_cpu },
	{ "where", "", "L1 or L2, VMX operation, VMCSs, EPT", 0, 0, false, run_where },
	{ "vmcs", "12|02|01 [PATTERN]", "fields of a VMCS by part of their name, or encoding", 1, 2, false, run_vmcs },
	{ "diff", "12|02|01 12|02|01 [PATTERN]", "fields that two VMCSs have different", 2, 3, false, run_diff },
	{ "exits", "", "VM exits by reason, and who handled them", 0, 0, false, run_exits },
	{ "ept", "12|02|01 ADDRESS", "the way through EPT tables, level by level", 2, 2, false, run_ept },
	{ "mem", "ADDRESS [COUNT]", "RAM at a physical address of L1's", 1, 2, false, run_mem },
	{ "mem!", "ADDRESS [COUNT]", "the same where devices are, which may react", 1, 2, false, run_mem },
	{ "regs", "", "registers of what runs there", 0, 0, false, run_regs },
	{ "trace", "on|off|dump", "the trace of all processors; its lines for tools/trace", 1, 1, false, run_trace },
	{ "log", "[quiet|info|debug|trace]", "how much Testudo says", 0, 1, false, run_log },
	{ "refusals", "", "VM entries of L1's that were refused, and why", 0, 0, false, run_refusals },
	{ "continue", "", "the guests go on", 0, 0, true, run_continue },
	{ "reboot", "", "resets the machine", 0, 0, false, run_reboot },
};

static const u32 command_count = array_size(commands);

static bool tell_command(struct monitor_out *out, const struct command *command)
{
	return out_line(out, "  %-8s %-28s %s", command->name, command->arguments, command->help);
}

/* By its name, or by a beginning that no other has. False: told why not. */
static bool find_command(struct monitor_out *out, const char *word, const struct command **found)
{
	struct out_wrap wrap;
	u32 count = 0;

	for (u32 i = 0; i < command_count; i++) {
		if (words_equal(commands[i].name, word)) {
			*found = &commands[i];
			return true;
		}
		if (words_begins(commands[i].name, word)) {
			*found = &commands[i];
			count++;
		}
	}
	if (count == 1)
		return true;
	wrap_begin(&wrap, out, 2);
	wrap_add(&wrap, count ? "\"%s\" may be any of:" : "there is no command \"%s\": help lists them", word);
	for (u32 i = 0; count && i < command_count; i++)
		if (words_begins(commands[i].name, word))
			wrap_add(&wrap, "%s", commands[i].name);
	(void)wrap_end(&wrap);
	return false;
}

static void run_help(struct request *request)
{
	struct monitor_out *out = request->monitor->out;
	const struct command *command;

	if (request->count > 1) {
		if (find_command(out, request->words[1], &command))
			(void)tell_command(out, command);
		return;
	}
	for (u32 i = 0; i < command_count; i++)
		if (!tell_command(out, &commands[i]))
			return;
	(void)out_line(out, "A beginning of a name will do. Addresses are hexadecimal. Ctrl-C breaks off a long answer.");
}

bool monitor_command(struct monitor *monitor, char *line)
{
	struct request request = { .monitor = monitor };

	request.count = words_split(line, request.words, MOST_WORDS);
	if (!request.count || !find_command(monitor->out, request.words[0], &request.command))
		return true;
	if (request.count - 1 < request.command->least || request.count - 1 > request.command->most) {
		tell_usage(&request);
		return true;
	}
	request.command->run(&request);
	return !request.command->leaves;
}
