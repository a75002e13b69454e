/* SPDX-License-Identifier: MIT */
/* Round trips between L1 and an L2 that executes CPUID for ever, with as little work in between as there can be. */
#include "tests/guests/caches/caches.h"

#include "tests/guests/lib/text.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"

struct vm *rounds_create(const u8 *code)
{
	struct vm *vm = vm_create(code);

	vm_clear(PIN_BASED_CONTROLS, PIN_ACTIVATE_PREEMPTION_TIMER);
	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG_CONTROLS);
	vm_set(VM_EXIT_CONTROLS, EXIT_SAVE_DEBUG_CONTROLS);
	return vm;
}

void rounds(struct vm *vm, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		u64 result = vm_enter(vm, vm->launched), reason;

		if (result)
			scenario_abort(" round %u of %u: entry failed (%lu)", i, count, result);
		vm->launched = true;
		reason = vmread_unchecked(EXIT_REASON);
		vm->basic_reason = (u32)reason;
		if (reason != REASON_CPUID) {
			vm_say_exit(vm);
			scenario_abort(" in round %u of %u", i, count);
		}
		vmwrite_unchecked(GUEST_RIP, vmread_unchecked(GUEST_RIP) + vmread_unchecked(VM_EXIT_INSTRUCTION_LENGTH));
	}
}

static void append(struct text *t, const char *format, ...) PRINTS(2);

static void append(struct text *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_append(t, format, args);
	va_end(args);
}

void name_join(struct text *joined, const char *prefix, const char *name)
{
	if (joined->data != prefix) {
		text_clear(joined);
		append(joined, "%s", prefix);
	}
	append(joined, ".%s", name);
}
