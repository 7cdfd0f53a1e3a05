// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SynodAdmin.h>

#include "router/store.h"
#include "server/thrift/admin_service.h"

namespace synod::server {

/// What `status` answers: the store's view, and what the process knows beside it.
[[nodiscard]] api::admin::NodeReport make_report(const AdminContext& context,
                                                 const router::StoreStatus& status);

}  // namespace synod::server
