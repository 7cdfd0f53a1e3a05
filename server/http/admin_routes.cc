// SPDX-License-Identifier: Apache-2.0
#include "server/http/admin_routes.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace synod::server {
namespace {

constexpr const char* kJson = "application/json";

HttpReply health(const HttpRequest& request) {
  if (request.wants_json) return {200, kJson, "{\"status\":\"ok\"}\n"};
  return {200, HttpReply().content_type, "ok\n"};
}

std::string ready_json(const std::vector<ReadyCheck>& checks, bool is_ready) {
  std::string out = is_ready ? "{\"status\":\"ok\"" : "{\"status\":\"not ready\"";
  out += ",\"checks\":[";
  for (const ReadyCheck& check : checks) {
    if (&check != &checks.front()) out += ',';
    out += "{\"name\":" + json_quote(check.name) + ",\"ok\":" + (check.ok ? "true" : "false") +
           ",\"detail\":" + json_quote(check.detail) + "}";
  }
  return out + "]}\n";
}

std::string ready_text(const std::vector<ReadyCheck>& checks, bool is_ready, bool is_verbose) {
  std::string out;
  for (const ReadyCheck& check : checks) {
    if (check.ok && !is_verbose) continue;
    out += check.ok ? "[+]" : "[-]";
    out += check.name;
    if (!check.detail.empty()) out += ": " + check.detail;
    out += '\n';
  }
  return out + (is_ready ? "ok\n" : "not ready\n");
}

HttpReply ready(const std::vector<ReadyCheck>& checks, const HttpRequest& request) {
  const bool is_ready = std::ranges::all_of(checks, &ReadyCheck::ok);
  const unsigned status = is_ready ? 200 : 503;
  if (request.wants_json) return {status, kJson, ready_json(checks, is_ready)};
  return {status, HttpReply().content_type,
          ready_text(checks, is_ready, request.has_parameter("verbose"))};
}

HttpReply version_reply(const std::string& version, const HttpRequest& request) {
  if (request.wants_json) return {200, kJson, "{\"version\":" + json_quote(version) + "}\n"};
  return {200, HttpReply().content_type, version + "\n"};
}

}  // namespace

AdminRoutes::AdminRoutes(AdminHttpServer::Sources sources) {
  add({"/metrics", {"GET"}, [write = std::move(sources.metrics)](const HttpRequest& /*request*/) {
         HttpReply reply{200, "text/plain; version=0.0.4; charset=utf-8", {}};
         write(reply.body);
         return reply;
       }});
  for (const char* path : {"/health", "/livez"}) add({path, {"GET"}, health});
  for (const char* path : {"/ready", "/readyz"}) {
    add({path, {"GET"}, [checks = sources.checks](const HttpRequest& request) {
           return ready(checks(), request);
         }});
  }
  add({"/version", {"GET"}, [version = std::move(sources.version)](const HttpRequest& request) {
         return version_reply(version, request);
       }});
  for (HttpRoute& route : sources.routes) add(std::move(route));
}

void AdminRoutes::add(HttpRoute route) {
  std::string path = route.path;
  const bool added = routes_.try_emplace(std::move(path), std::move(route)).second;
  SYNOD_ASSERT(added, "a path is in the table once");
}

AdminRoutes::Answer AdminRoutes::answer(const HttpRequest& request) const {
  const auto found = routes_.find(request.path);
  if (found == routes_.end()) {
    return {{404, HttpReply().content_type, "no such path\n"}, {}};
  }
  const HttpRoute& route = found->second;
  const std::string& method = request.method == "HEAD" ? "GET" : request.method;
  if (std::ranges::find(route.methods, method) != route.methods.end()) {
    return {route.handle(request), {}};
  }
  std::string allow;
  for (const std::string& allowed : route.methods) {
    if (!allow.empty()) allow += ", ";
    allow += allowed == "GET" ? "GET, HEAD" : allowed;
  }
  return {{405, HttpReply().content_type, "method not allowed\n"}, std::move(allow)};
}

}  // namespace synod::server
