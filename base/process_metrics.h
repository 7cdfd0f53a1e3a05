// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/exposition.h"

namespace synod::base {

/// Writes what the kernel knows of this process: process_* (processor time, memory, descriptors,
/// start) and thread_cpu_seconds_total by thread name. What cannot be read is left out.
void collect_process_metrics(Exposition& out);

}  // namespace synod::base
