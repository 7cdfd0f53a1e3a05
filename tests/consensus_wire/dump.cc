// SPDX-License-Identifier: Apache-2.0
#include <sstream>

#include "tests/consensus_wire/samples.h"

namespace synod::consensus {
namespace {

/// Knows nothing of consensus/wire; every field is written out here once more.
class Dump {
 public:
  template <class... Values>
  void operator()(const Values&... values) {
    ((out_ << ' ', put(values)), ...);
  }
  [[nodiscard]] std::string text() const { return out_.str(); }

  void on(const Hello& m) {
    (*this)("Hello", m.answers, m.promised, m.commit, m.base, m.last, m.leads,
            m.superblock_version);
  }
  void on(const PreVote& m) {
    (*this)("PreVote", m.probe, m.ballot, m.commit, m.last, m.last_ballot);
  }
  void on(const PreVoteReply& m) {
    (*this)("PreVoteReply", m.probe, m.is_granted, m.promised, m.commit, m.last, m.last_ballot);
  }
  void on(const Prepare& m) { (*this)("Prepare", m.ballot, m.commit, m.token); }
  void on(const Promise& m) {
    (*this)("Promise", m.ballot, m.commit, m.base, m.covers_after, m.covers_to, m.slots,
            m.unknown_tail);
  }
  void on(const Nack& m) {
    (*this)("Nack", m.refused, m.promised, static_cast<int>(m.reason), m.leader);
  }
  void on(const Fetch& m) { (*this)("Fetch", m.id, m.low, m.high); }
  void on(const Entries& m) {
    (*this)("Entries", m.id, m.low, m.entries, m.commit, m.base, m.promised);
  }
  void on(const Accept& m) {
    (*this)("Accept", m.ballot, m.first, m.entries, m.commit, m.read_sequence);
  }
  void on(const Accepted& m) {
    (*this)("Accepted", m.ballot, m.through_durable, m.commit, m.applied, m.read_sequence,
            m.gap_from, m.lease_sequence);
  }
  void on(const Heartbeat& m) {
    (*this)("Heartbeat", m.ballot, m.commit, m.last, m.read_sequence, m.lease_sequence);
  }
  void on(const Commit& m) { (*this)("Commit", m.ballot, m.commit); }
  void on(const Transfer& m) { (*this)("Transfer", m.ballot); }
  void on(const ReadIndexRequest& m) { (*this)("ReadIndexRequest", m.id); }
  void on(const ReadIndexReply& m) { (*this)("ReadIndexReply", m.id, m.index); }
  void on(const SnapshotOffer& m) {
    const SnapshotManifest& label = m.manifest;
    (*this)("SnapshotOffer", label.id, label.slot, label.fence, label.chain, label.files);
  }
  void on(const SnapshotFetch& m) {
    (*this)("SnapshotFetch", m.id, m.snapshot, m.file, m.offset, m.bytes);
  }
  void on(const SnapshotData& m) {
    (*this)("SnapshotData", m.id, m.snapshot, m.file, m.offset, m.is_gone, m.bytes);
  }
  void on(const SnapshotDone& m) { (*this)("SnapshotDone", m.snapshot, m.is_installed); }
  void on(const Introduction& m) { (*this)("Introduction", m.record, m.asked_by); }

 private:
  template <class Tag, class Rep>
  void put(const base::StrongId<Tag, Rep>& id) {
    out_ << id.value();
  }
  template <class Number>
  requires std::is_arithmetic_v<Number>
  void put(Number value) { out_ << value; }
  void put(const char* text) { out_ << text; }
  void put(const std::string& text) { out_ << text.size() << '"' << text << '"'; }
  void put(Instant span) { out_ << span.count() << "ns"; }
  void put(const Ballot& b) { (*this)(b.config, b.round, b.owner); }
  void put(const Member& m) { (*this)(m.id, m.incarnation); }
  void put(const Entry& e) { (*this)(e.origin, static_cast<int>(e.kind), e.crc, *e.command); }
  void put(const ReportedSlot& s) { (*this)(s.slot, s.ballot, s.entry); }
  void put(const Configuration& c) {
    (*this)(c.id, c.voters, c.learners, c.first, c.guard, c.first_leader);
  }
  void put(const Chain& c) { (*this)(c.configurations, c.as_of); }
  void put(const SnapshotFile& f) { (*this)(f.name, f.bytes, f.crc); }
  void put(const ClusterRecord& r) { (*this)(r.cluster, r.chain); }
  template <class T>
  void put(const std::optional<T>& value) {
    if (value) {
      put(*value);
    } else {
      out_ << "none";
    }
  }
  template <class T>
  void put(const std::vector<T>& list) {
    out_ << '[';
    for (const T& each : list) (*this)(each);
    out_ << ']';
  }

  std::ostringstream out_;
};

}  // namespace

std::string dump(const Envelope& envelope) {
  Dump out;
  out(envelope.from.id, envelope.from.incarnation, envelope.process, envelope.to, envelope.config);
  std::visit([&out](const auto& message) { out.on(message); }, envelope.message);
  return out.text();
}

}  // namespace synod::consensus
