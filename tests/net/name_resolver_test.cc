// SPDX-License-Identifier: Apache-2.0
#include "net/name_resolver.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <optional>

#include "net/worker.h"

namespace synod::net {
namespace {

constexpr std::chrono::seconds kPatience{30};

/// A name server that answers when it is told to.
class SlowNames {
 public:
  NameResolver::Lookup lookup() {
    return [opened = opened_](const std::string& host, std::uint16_t port) {
      opened.wait();
      return NameResolver::Answer{{{host, port}}, ""};
    };
  }
  void open() { gate_.set_value(); }

 private:
  std::promise<void> gate_;
  std::shared_future<void> opened_{gate_.get_future().share()};
};

TEST(NameResolver, AnswersOnTheDispatcher) {
  Worker worker("names");
  worker.start();
  std::promise<NameResolver::Answer> answered;
  std::optional<NameResolver> resolver;
  bool was_current = false;
  worker.dispatcher().post([&] {
    resolver.emplace(worker.dispatcher());
    resolver->resolve("localhost", 4711, [&](NameResolver::Answer answer) {
      was_current = worker.dispatcher().is_current();
      answered.set_value(std::move(answer));
    });
  });
  auto answer = answered.get_future();
  ASSERT_EQ(answer.wait_for(kPatience), std::future_status::ready);
  const NameResolver::Answer found = answer.get();
  ASSERT_FALSE(found.addresses.empty()) << found.error;
  EXPECT_EQ(found.addresses.front().port, 4711);
  EXPECT_TRUE(is_loopback_host(found.addresses.front().host)) << found.addresses.front().host;
  worker.stop();
  worker.join();
  EXPECT_TRUE(was_current);
}

TEST(NameResolver, ItsEndWaitsForNoLookup) {
  SlowNames names;
  bool was_called = false;
  {
    Worker worker("names");
    worker.start();
    auto resolver = std::make_unique<NameResolver>(worker.dispatcher(), names.lookup());
    resolver->resolve("slow.invalid", 1, [&](const NameResolver::Answer&) { was_called = true; });
    resolver.reset();
    worker.stop();
    worker.join();
  }
  // Only now: had anybody waited for the answer, this would not be reached.
  names.open();
  EXPECT_FALSE(was_called);
}

TEST(NameResolver, OneNameHoldsUpNoOtherAndTooManyAreRefused) {
  SlowNames names;
  Worker worker("names");
  auto resolver = std::make_unique<NameResolver>(
      worker.dispatcher(), [slow = names.lookup()](const std::string& host, std::uint16_t port) {
        return host == "slow" ? slow(host, port) : NameResolver::Answer{{{host, port}}, ""};
      });
  std::promise<std::string> quick;
  std::promise<std::string> refused;
  resolver->resolve("slow", 1, [](const NameResolver::Answer&) {});
  resolver->resolve("quick", 1, [&](const NameResolver::Answer& answer) {
    quick.set_value(answer.addresses.at(0).host);
  });
  worker.start();
  auto got = quick.get_future();
  ASSERT_EQ(got.wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(got.get(), "quick");
  for (std::size_t i = 1; i < NameResolver::kLookupsMax; ++i) {
    resolver->resolve("slow", 1, [](const NameResolver::Answer&) {});
  }
  resolver->resolve("quick", 1,
                    [&](const NameResolver::Answer& answer) { refused.set_value(answer.error); });
  auto why = refused.get_future();
  ASSERT_EQ(why.wait_for(kPatience), std::future_status::ready);
  EXPECT_NE(why.get().find("too many"), std::string::npos);
  resolver.reset();
  names.open();
}

}  // namespace
}  // namespace synod::net
