// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "consensus/protocol/messages.h"

namespace synod::consensus {
namespace {

using base::concat;

std::string text(const Entry& entry) {
  if (entry.kind != EntryKind::kCommand) {
    return concat(entry_kind_name(entry.kind), "@", to_string(entry.origin));
  }
  return concat(base::escape(*entry.command), "@", to_string(entry.origin));
}

std::string text(const std::vector<Entry>& entries) {
  std::string out = "[";
  for (const Entry& entry : entries) {
    out += concat(out.size() > 1 ? " " : "", text(entry));
  }
  return out + "]";
}

std::string text(Slot slot) { return slot == kOpenEnd ? std::string("end") : concat(slot.value()); }

std::string text(const std::vector<ReportedSlot>& slots) {
  std::string out = "[";
  for (const ReportedSlot& slot : slots) {
    out += concat(out.size() > 1 ? " " : "", slot.slot.value(), "=",
                  slot.entry ? text(*slot.entry) : std::string("unknown"), " in ",
                  to_string(slot.ballot));
  }
  return out + "]";
}

std::string_view reason_name(NackReason reason) {
  switch (reason) {
    case NackReason::kBallot:
      return "ballot";
    case NackReason::kGuard:
      return "guard";
    case NackReason::kConfig:
      return "config";
  }
  return "?";
}

/// One overload for each message; std::visit does not compile if one is missing.
struct Text {
  std::string operator()(const PreVote& m) const {
    return concat("PreVote ballot=", to_string(m.ballot), " commit=", text(m.commit),
                  " last=", text(m.last), " last_ballot=", to_string(m.last_ballot));
  }
  std::string operator()(const PreVoteReply& m) const {
    return concat("PreVoteReply granted=", m.is_granted ? "yes" : "no",
                  " promised=", to_string(m.promised), " commit=", text(m.commit),
                  " last=", text(m.last));
  }
  std::string operator()(const Prepare& m) const {
    return concat("Prepare ballot=", to_string(m.ballot), " commit=", text(m.commit),
                  m.token ? concat(" token=", to_string(*m.token)) : std::string());
  }
  std::string operator()(const Promise& m) const {
    return concat(
        "Promise ballot=", to_string(m.ballot), " commit=", text(m.commit), " base=", text(m.base),
        " covers=(", text(m.covers_after), ",", text(m.covers_to), "] slots=", text(m.slots),
        m.unknown_tail ? concat(" unknown_tail=", to_string(*m.unknown_tail)) : std::string());
  }
  std::string operator()(const Nack& m) const {
    return concat("Nack refused=", to_string(m.refused), " promised=", to_string(m.promised),
                  " reason=", reason_name(m.reason),
                  " leader=", m.leader ? concat(m.leader->value()) : std::string("none"));
  }
  std::string operator()(const Fetch& m) const {
    return concat("Fetch low=", text(m.low), " high=", text(m.high));
  }
  std::string operator()(const Entries& m) const {
    return concat("Entries low=", text(m.low), " entries=", text(m.entries),
                  " commit=", text(m.commit), " base=", text(m.base));
  }
  std::string operator()(const Accept& m) const {
    return concat("Accept ballot=", to_string(m.ballot), " first=", text(m.first),
                  " entries=", text(m.entries), " commit=", text(m.commit),
                  " read=", m.read_sequence.value());
  }
  std::string operator()(const Accepted& m) const {
    return concat("Accepted ballot=", to_string(m.ballot), " through=", text(m.through_durable),
                  " commit=", text(m.commit), " applied=", text(m.applied),
                  " read=", m.read_sequence.value(),
                  m.gap_from ? concat(" gap=", text(*m.gap_from)) : std::string());
  }
  std::string operator()(const Heartbeat& m) const {
    return concat("Heartbeat ballot=", to_string(m.ballot), " commit=", text(m.commit),
                  " last=", text(m.last), " read=", m.read_sequence.value());
  }
  std::string operator()(const Commit& m) const {
    return concat("Commit ballot=", to_string(m.ballot), " commit=", text(m.commit));
  }
  std::string operator()(const Transfer& m) const {
    return concat("Transfer ballot=", to_string(m.ballot));
  }
  std::string operator()(const Hello& m) const {
    return concat("Hello", m.answers == ProcessId() ? "" : " answers",
                  " promised=", to_string(m.promised), " commit=", text(m.commit),
                  " last=", text(m.last),
                  m.leads ? concat(" leads=", to_string(*m.leads)) : std::string());
  }
  std::string operator()(const SnapshotOffer& m) const {
    return concat("SnapshotOffer slot=", text(m.manifest.slot), " files=", m.manifest.files.size());
  }
  std::string operator()(const SnapshotFetch& m) const {
    return concat("SnapshotFetch file=", m.file, " offset=", m.offset, " bytes=", m.bytes);
  }
  std::string operator()(const SnapshotData& m) const {
    return concat("SnapshotData file=", m.file, " offset=", m.offset, " bytes=", m.bytes.size(),
                  m.is_gone ? " gone" : "");
  }
  std::string operator()(const SnapshotDone& m) const {
    return concat("SnapshotDone installed=", m.is_installed ? "yes" : "no");
  }
  std::string operator()(const Introduction& m) const {
    return m.record ? concat("Introduction cluster=", m.record->cluster.value())
                    : std::string("Introduction blank");
  }
  std::string operator()(const ReadIndexRequest&) const { return "ReadIndexRequest"; }
  std::string operator()(const ReadIndexReply& m) const {
    return concat("ReadIndexReply index=", m.index ? text(*m.index) : std::string("none"));
  }
};

}  // namespace

std::string to_string(const Message& message) { return std::visit(Text{}, message); }

}  // namespace synod::consensus
