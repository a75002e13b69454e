// SPDX-License-Identifier: MIT
/*
 * The machine for a Linux guest: in-kernel interrupt controllers and timer, a UART, and nothing else.
 *
 * Ports that nobody answers read as all ones, like an empty bus. The guest ends the machine with the word "Shutdown" on port 0x8900, the
 * same as in Bochs; that is the only good end. A reset or a triple fault is reported and fails.
 */
#include "vmm.h"

#include <stdio.h>
#include <string.h>

enum { COM1 = 0x3f8, RTC_DATA = 0x71, KEYBOARD_COMMAND = 0x64, SHUTDOWN_PORT = 0x8900 };
enum { KEYBOARD_RESET = 0xfe };

enum end { RUNNING, SHUTDOWN, RESET, TRIPLE_FAULT, UNKNOWN };

struct machine {
	struct vm vm;
	struct uart uart;
	size_t shutdown_matched; /* letters of "Shutdown" seen so far */
	unsigned long port_exits, mmio_exits;
	enum end end;
};

static void write_port(struct machine *m, uint16_t port, uint8_t value)
{
	static const char word[] = "Shutdown";

	if (port >= COM1 && port < COM1 + 8) {
		uart_write(&m->uart, &m->vm, port - COM1, value);
	} else if (port == SHUTDOWN_PORT) {
		m->shutdown_matched = value == word[m->shutdown_matched] ? m->shutdown_matched + 1 : 0;
		if (!word[m->shutdown_matched])
			m->end = SHUTDOWN;
	} else if (port == KEYBOARD_COMMAND && value == KEYBOARD_RESET) {
		m->end = RESET;
	}
}

static uint8_t read_port(struct machine *m, uint16_t port)
{
	if (port >= COM1 && port < COM1 + 8)
		return uart_read(&m->uart, &m->vm, port - COM1);
	/* A clock that stands still and is never being updated: Linux waits for neither. */
	if (port == RTC_DATA)
		return 0;
	return 0xff;
}

static void do_port(struct machine *m)
{
	struct port_access access = port_access(&m->vm);

	m->port_exits++;
	for (unsigned int i = 0; i < access.size * access.count; i++) {
		uint16_t port = (uint16_t)(access.port + i % access.size);

		if (access.is_write)
			write_port(m, port, access.data[i]);
		else
			access.data[i] = read_port(m, port);
	}
}

static void do_exit(struct machine *m)
{
	struct kvm_run *run = m->vm.run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		do_port(m);
		break;
	case KVM_EXIT_MMIO:
		m->mmio_exits++;
		if (!run->mmio.is_write)
			memset(run->mmio.data, 0xff, sizeof run->mmio.data);
		break;
	case KVM_EXIT_SHUTDOWN:
		m->end = TRIPLE_FAULT;
		break;
	case KVM_EXIT_FAIL_ENTRY:
		printf("vmm: VM entry failed, hardware reason %#llx\n",
		       (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
		m->end = UNKNOWN;
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		printf("vmm: KVM internal error %u\n", run->internal.suberror);
		m->end = UNKNOWN;
		break;
	default:
		m->end = UNKNOWN;
		break;
	}
}

int linux_main(const char *kernel, const char *initrd, const char *command_line, size_t megabytes)
{
	static struct machine machine;
	struct machine *m = &machine;

	vm_create(&m->vm, megabytes << 20, 1);
	vm_set_cpuid(&m->vm);
	bzimage_load(&m->vm, kernel, initrd, command_line);
	while (m->end == RUNNING) {
		vm_run(&m->vm);
		do_exit(m);
	}
	fflush(stdout);

	static const char *const words[] = { "?", "ended by itself", "reset", "triple fault", "unexpected exit" };

	printf("vmm: linux guest: %s (exit reason %u, port exits %lu, mmio exits %lu)\n", words[m->end],
	       m->vm.run->exit_reason, m->port_exits, m->mmio_exits);

	int good = m->end == SHUTDOWN;

	vm_destroy(&m->vm);
	return good ? 0 : 1;
}
