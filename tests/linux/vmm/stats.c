// SPDX-License-Identifier: MIT
/*
 * What KVM counts for a vCPU: its binary statistics, "KVM_GET_STATS_FD" in the kernel's Documentation/virt/kvm/api.rst.
 *
 * One of them is looked up by its name once, and then read as often as anybody asks.
 */
#include "vmm.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { NAME_MAX_SIZE = 256 };

static void read_at(int fd, void *to, size_t size, uint64_t at)
{
	if (pread(fd, to, size, (off_t)at) != (ssize_t)size)
		fail("KVM's statistics cannot be read");
}

struct stat_value stat_find(const struct vcpu *vcpu, const char *name)
{
	struct stat_value value = { .fd = ioctl(vcpu->fd, KVM_GET_STATS_FD, NULL) };
	struct kvm_stats_header header;
	struct {
		struct kvm_stats_desc head;
		char name[NAME_MAX_SIZE];
	} entry;

	if (value.fd < 0)
		fail("this kernel's KVM has no statistics to read");
	read_at(value.fd, &header, sizeof header, 0);
	if (header.name_size > NAME_MAX_SIZE)
		fail("KVM's statistics have longer names than this program knows");
	for (uint32_t i = 0; i < header.num_desc; i++) {
		size_t size = sizeof entry.head + header.name_size;

		read_at(value.fd, &entry, size, header.desc_offset + i * size);
		if (strncmp(entry.name, name, header.name_size))
			continue;
		value.offset = header.data_offset + entry.head.offset;
		return value;
	}
	fail("KVM does not count %s", name);
}

uint64_t stat_read(const struct stat_value *value)
{
	uint64_t number;

	read_at(value->fd, &number, sizeof number, value->offset);
	return number;
}
