// SPDX-License-Identifier: Apache-2.0
#include "net/name_resolver.h"

#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace synod::net {

/// Between the threads of lookups and the resolver; the last of them takes it down.
struct NameResolver::Door {
  std::mutex mutex;
  base::Dispatcher* dispatcher = nullptr;  ///< Null: shut.
  std::size_t lookups = 0;

  void pass(Done done, Answer answer) {
    const std::lock_guard lock(mutex);
    --lookups;
    if (dispatcher == nullptr) return;
    dispatcher->post([done = std::move(done), answer = std::move(answer)]() mutable {
      done(std::move(answer));
    });
  }
};

NameResolver::NameResolver(base::Dispatcher& dispatcher, Lookup lookup)
    : lookup_(std::move(lookup)), door_(std::make_shared<Door>()) {
  door_->dispatcher = &dispatcher;
}

NameResolver::~NameResolver() {
  const std::lock_guard lock(door_->mutex);
  door_->dispatcher = nullptr;
}

void NameResolver::resolve(const std::string& host, std::uint16_t port, Done done) {
  std::string refusal;
  {
    const std::lock_guard lock(door_->mutex);
    if (door_->lookups >= kLookupsMax) refusal = "too many names are being looked up";
    ++door_->lookups;
  }
  if (refusal.empty()) {
    try {
      std::thread([door = door_, lookup = lookup_, host, port, done] {
        door->pass(done, lookup(host, port));
      }).detach();
      return;
    } catch (const std::system_error& error) {
      refusal = error.what();  // No thread to be had now.
    }
  }
  door_->pass(std::move(done), Answer{{}, std::move(refusal)});
}

NameResolver::Answer NameResolver::ask_system(const std::string& host, std::uint16_t port) {
  Answer answer;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (code != 0) {
    answer.error = code == EAI_SYSTEM ? std::generic_category().message(errno) : gai_strerror(code);
    return answer;
  }
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    char text[NI_MAXHOST];
    const int named = ::getnameinfo(each->ai_addr, each->ai_addrlen, text, sizeof text, nullptr, 0,
                                    NI_NUMERICHOST);
    if (named == 0) answer.addresses.push_back({text, port});
  }
  ::freeaddrinfo(found);
  if (answer.addresses.empty()) answer.error = "the name has no address";
  return answer;
}

}  // namespace synod::net
