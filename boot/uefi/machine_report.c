/* SPDX-License-Identifier: MIT */
/*
 * Findings as lines. What is needed and optional is for machine_check.c and
 * machine_options.c to say.
 */
#include "boot/uefi/machine_report.h"

#include "boot/uefi/text.h"

struct counting {
	report_line *line;
	void *context;
	u32 all, not_found;
};

void report_finding(const struct machine_finding *finding, report_line *line, void *context)
{
	static const char *const states[] = {
		[MACHINE_MISSING] = "MISSING", [MACHINE_FOUND] = "found  ", [MACHINE_UNKNOWN] = "unknown"
	};
	char text[REPORT_LINE_SIZE];

	if (finding->cause)
		text_format(text, sizeof(text), "  %s  %s: %s; cause: %s; cure: %s", states[finding->state], finding->what,
			    finding->purpose, finding->cause, finding->cure);
	else
		text_format(text, sizeof(text), "  %s  %s: %s", states[finding->state], finding->what, finding->purpose);
	line(context, text);
}

static void count_finding(void *context, const struct machine_finding *finding)
{
	struct counting *counting = context;

	counting->all++;
	counting->not_found += finding->state != MACHINE_FOUND;
	report_finding(finding, counting->line, counting->context);
}

/* SDM "CPUID-CPU Identification", "Version Information": extended family and model. */
static void report_processor(const struct machine *machine, report_line *line, void *context)
{
	u32 signature = machine->signature;
	u32 family = signature >> 8 & 0xf, model = signature >> 4 & 0xf;
	char text[REPORT_LINE_SIZE];

	if (family == 6 || family == 15)
		model += (signature >> 16 & 0xf) << 4;
	if (family == 15)
		family += signature >> 20 & 0xff;
	text_format(text, sizeof(text), "processor: %s, \"%s\", family %u, model %u (0x%x), stepping %u", machine->vendor,
		    machine->brand, family, model, model, signature & 0xf);
	line(context, text);
	if (machine->is_testudo)
		line(context, "hypervisor: Testudo is beneath: what is found is what it offers");
	if (!machine->has_hypervisor && !machine->is_testudo)
		line(context, "hypervisor: none says that it is beneath");
	if (!machine->has_hypervisor || machine->is_testudo)
		return;
	text_format(text, sizeof(text), "hypervisor: \"%s\" is beneath: what is found is what it offers", machine->hypervisor);
	line(context, text);
}

u32 report_machine(const struct machine *machine, report_line *line, void *context)
{
	struct counting needed = { line, context, 0, 0 }, optional = { line, context, 0, 0 };
	char text[REPORT_LINE_SIZE];

	report_processor(machine, line, context);
	line(context, "needed, or Testudo does not start:");
	machine_needs(machine, count_finding, &needed);
	line(context, "optional; where one is missing, the processor or the hypervisor beneath does not have it, and L1 goes without:");
	machine_options(machine, count_finding, &optional);
	text_format(text, sizeof(text), "found: %u of %u needed, %u of %u optional", needed.all - needed.not_found, needed.all,
		    optional.all - optional.not_found, optional.all);
	line(context, text);
	return needed.not_found;
}

void report_verdict(u32 lacking, report_line *line, void *context)
{
	line(context, lacking ? "verdict: Testudo cannot run here; see the lines with MISSING" : "verdict: Testudo can run here");
}
