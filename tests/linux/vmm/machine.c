// SPDX-License-Identifier: MIT
/*
 * The machine for a Linux kernel or a UEFI application: in-kernel interrupt controllers and timer, a UART, and nothing else.
 *
 * Ports that nobody answers read as all ones, like an empty bus. The guest ends the machine with the word "Shutdown" on port 0x8900, the
 * same as in Bochs; that is the only good end. A reset or a triple fault is reported and fails. There are two ports besides: one
 * tells what the lowest hypervisor has counted (tests/linux/lib/below.h), and a UEFI application has its firmware's.
 *
 * Each vCPU has a thread, the first the program's own. They meet only here: one lock guards the devices, and whoever sees the end first
 * makes the others leave the kernel.
 */
#include "tests/linux/lib/below.h"
#include "vmm.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { COM1 = 0x3f8, RTC_DATA = 0x71, KEYBOARD_COMMAND = 0x64, SHUTDOWN_PORT = 0x8900 };
enum { KEYBOARD_RESET = 0xfe };

enum end { RUNNING, SHUTDOWN, RESET, TRIPLE_FAULT, UNKNOWN };

struct machine {
	struct vm vm;
	pthread_t thread[VCPUS_MAX];
	pthread_mutex_t lock; /* of all below */
	struct uart uart;
	size_t shutdown_matched; /* letters of "Shutdown" seen so far */
	unsigned long port_exits, mmio_exits;
	uint32_t last_reason; /* of the exit that was the end */
	enum end end;
	struct stat_value exits; /* of the first vCPU */
	uint32_t counter;	 /* that was asked for last */
	int has_firmware;
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

/* If nobody below tells, this KVM is the lowest hypervisor, and exits are what it counts. */
static uint32_t read_counter(struct machine *m)
{
	uint32_t value = below_count(m->counter);

	return value == BELOW_UNKNOWN && m->counter == BELOW_EXITS ? (uint32_t)stat_read(&m->exits) : value;
}

/* Ports of 32 bits; true if it was one. */
static int do_wide_port(struct machine *m, const struct port_access *access)
{
	uint32_t value;

	if (access->size != sizeof value || access->count != 1)
		return 0;
	memcpy(&value, access->data, sizeof value);
	if (access->port == BELOW_PORT && access->is_write) {
		m->counter = value;
	} else if (access->port == BELOW_PORT) {
		value = read_counter(m);
		memcpy(access->data, &value, sizeof value);
	} else if (access->port == FIRMWARE_PORT && access->is_write && m->has_firmware) {
		if (firmware_call(&m->vm, value) < 0)
			m->end = UNKNOWN;
	} else {
		return 0;
	}
	return 1;
}

static void do_port(struct machine *m, struct vcpu *vcpu)
{
	struct port_access access = port_access(vcpu);

	m->port_exits++;
	if (do_wide_port(m, &access))
		return;
	for (unsigned int i = 0; i < access.size * access.count; i++) {
		uint16_t port = (uint16_t)(access.port + i % access.size);

		if (access.is_write)
			write_port(m, port, access.data[i]);
		else
			access.data[i] = read_port(m, port);
	}
}

static void do_exit(struct machine *m, struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		do_port(m, vcpu);
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

/* Those that run or sleep in the kernel come back by the signal, those that are about to enter it by immediate_exit. */
static void stop_others(struct machine *m, struct vcpu *self)
{
	for (int i = 0; i < m->vm.vcpu_count; i++) {
		if (&m->vm.vcpu[i] == self)
			continue;
		m->vm.vcpu[i].run->immediate_exit = 1;
		pthread_kill(m->thread[i], SIGUSR1);
	}
}

static void run_vcpu(struct machine *m, struct vcpu *vcpu)
{
	int ended = 0;

	while (!ended) {
		int has_exit = vcpu_run(vcpu) == 0;

		pthread_mutex_lock(&m->lock);
		ended = m->end != RUNNING;
		if (has_exit && !ended) {
			do_exit(m, vcpu);
			ended = m->end != RUNNING;
			if (ended) {
				m->last_reason = vcpu->run->exit_reason;
				stop_others(m, vcpu);
			}
		}
		pthread_mutex_unlock(&m->lock);
	}
}

static struct machine machine = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void *vcpu_thread(void *vcpu)
{
	run_vcpu(&machine, vcpu);
	return NULL;
}

static void on_signal(int signal)
{
	(void)signal;
}

/* The lock keeps every thread from looking for the others before all are there. */
static void run_machine(struct machine *m)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &action, NULL);
	pthread_mutex_lock(&m->lock);
	m->thread[0] = pthread_self();
	for (int i = 1; i < m->vm.vcpu_count; i++)
		if (pthread_create(&m->thread[i], NULL, vcpu_thread, &m->vm.vcpu[i]))
			fail("no thread for vCPU %d", i);
	pthread_mutex_unlock(&m->lock);
	run_vcpu(m, &m->vm.vcpu[0]);
	for (int i = 1; i < m->vm.vcpu_count; i++)
		pthread_join(m->thread[i], NULL);
}

/* Runs what is in memory to its end, says how it ended, and returns the exit status. */
static int run_to_end(struct machine *m, const char *what)
{
	static const char *const words[] = { "?", "ended by itself", "reset", "triple fault", "unexpected exit" };

	m->exits = stat_find(&m->vm.vcpu[0], "exits");
	run_machine(m);
	fflush(stdout);
	printf("vmm: %s guest: %s (exit reason %u, port exits %lu, mmio exits %lu)\n", what, words[m->end], m->last_reason,
	       m->port_exits, m->mmio_exits);
	vm_destroy(&m->vm);
	return m->end == SHUTDOWN ? 0 : 1;
}

int linux_main(const char *kernel, const char *initrd, const char *command_line, int vcpus, size_t megabytes)
{
	struct machine *m = &machine;

	vm_create(&m->vm, megabytes << 20, vcpus, 1);
	vm_set_cpuid(&m->vm);
	bzimage_load(&m->vm, kernel, initrd, command_line);
	return run_to_end(m, "linux");
}

/* Our test guests take the number of a port that tells the exits from a word of their options (tests/guests/lib/machine.h). */
int efi_main(const char *image, const char *options, size_t megabytes)
{
	struct machine *m = &machine;
	char all[256];

	if ((size_t)snprintf(all, sizeof all, "exits_port=%d%s%s", BELOW_PORT, *options ? " " : "", options) >= sizeof all)
		fail("the options are too long");
	vm_create(&m->vm, megabytes << 20, 1, 1);
	vm_set_cpuid(&m->vm);
	m->has_firmware = 1;
	firmware_start(&m->vm, image, all);
	return run_to_end(m, "efi");
}
