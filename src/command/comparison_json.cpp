// SPDX-License-Identifier: BSD-3-Clause
// A comparison as programs read it, and the documents that `quantimed judge` answers. JSON has no infinity: never is
// the string "inf", which float() and strtod read, and a figure that is not there is null.
#include "base/error.hpp"
#include "command/comparison.hpp"
#include "statistics/headline.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace quantimed {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kComparisonFormat = "quantimed-comparison";
constexpr int kComparisonVersion = 1;

// ---- out -----------------------------------------------------------------------------------------
Json figure(double value) {
  if (std::isnan(value)) return nullptr;
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

Json figures(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(figure(value));
  return list;
}

const char* word(SpreadKind kind) {
  return kind == SpreadKind::interval ? "interval" : kind == SpreadKind::range ? "range" : "none";
}
const char* word(PairedTest test) {
  return test == PairedTest::log_t ? "t of log ratios" : test == PairedTest::sign ? "sign" : "none";
}
const char* word(Fate fate) {
  constexpr const char* kWords[] = {"arrived", "missed", "diverged", "invalid", "unfinished"};
  return kWords[static_cast<std::size_t>(fate)];
}

Json estimate(const Estimate& e) {
  return {{"median", figure(e.median)}, {"low", figure(e.low)},   {"high", figure(e.high)},
          {"kind", word(e.spread)},     {"coverage", e.coverage}, {"count", e.count}};
}

Json test(const PairedP& p, double corrected, bool is_clear) {
  return {{"test", word(p.test)}, {"p", p.p}, {"p_holm", corrected}, {"clear", is_clear}};
}

Json row(const Comparison& made, std::size_t e) {
  const RowFigures& row = made.rows[e];
  const FateCounts& of = made.judgement.counts[e];
  Json ids = Json::array();
  for (const JudgedRun* run : runs_in_use(made.inquiry, made.judgement, e)) ids.push_back({run->seed, run->repeat});
  return {{"name", made.inquiry.entries[e].name},
          {"algorithm", row.algorithm},
          {"setting", row.setting},
          {"for_target", figure(made.inquiry.entries[e].only_target)},
          {"runs", of.runs},
          {"run_ids", ids},
          {"counted", of.counted},
          {"invalid", of.invalid},
          {"diverged", of.diverged},
          {"unfinished", of.unfinished},
          {"judged", of.runs > 0 && 2 * (of.invalid + of.unfinished) < of.runs},
          {"final_loss", estimate(row.final_loss)},
          {"test_accuracy", estimate(row.test_accuracy)},
          {"paper_bits", figure(row.paper_bits)},
          {"wire_bits", figure(row.wire_bits)},
          {"bytes_sent", figure(row.bytes_sent)},
          {"wait_share", figure(row.wait_share)},
          {"end_s", figures(row.end_s)}};
}

Json entry_of_race(const Comparison& made, const TargetRace& at, std::size_t target, std::size_t k) {
  std::vector<double> times, from, until, run_times;
  for (const Finish& run : at.runs[k]) run_times.push_back(run.time);
  Json fates = Json::array();
  std::size_t unresolved = 0;
  for (const Finish& run : at.finishes[k]) {
    times.push_back(run.time);
    from.push_back(run.from);
    until.push_back(run.until);
    fates.push_back(word(run.fate));
    unresolved += !run.is_resolved;
  }
  Json entry = {{"name", made.inquiry.entries[at.entries[k]].name},
                {"time_s", estimate(at.race.times[k])},
                {"speed_up", estimate(at.speed_ups[k])},
                {"arrived", at.arrived[k]},
                {"unresolved", unresolved},
                {"times_s", figures(times)},
                {"from_s", figures(from)},
                {"until_s", figures(until)},
                {"run_times_s", figures(run_times)},
                {"fates", fates}};
  if (!made.energy_to_target.empty()) entry["energy_j"] = estimate(made.energy_to_target[target][k]);
  return entry;
}

Json race_json(const Comparison& made, std::size_t clock, std::size_t target) {
  const TargetRace& at = made.judgement.races[clock][target];
  const auto name = [&](std::size_t k) { return made.inquiry.entries[at.entries[k]].name; };
  Json first = nullptr, close = Json::array(), against = Json::array(), entries = Json::array();
  if (at.race.first) first = name(*at.race.first);
  for (const Against& one : at.race.against) {
    Json line = {{"name", name(one.other)}, {"ratio", estimate(one.ratio)}};
    line.update(test(one.test, one.corrected_p, one.is_clear));
    against.push_back(line);
    if (!one.is_clear) close.push_back(name(one.other));
  }
  Json early = Json::array();
  for (const std::size_t k : ended_early(at.race)) early.push_back(name(k));
  for (std::size_t k = 0; k < at.entries.size(); ++k) entries.push_back(entry_of_race(made, at, target, k));
  return {{"clock", made.inquiry.clocks[clock]},
          {"target", at.target},
          {"winner", at.race.has_winner ? first : Json(nullptr)},
          {"first", first},
          {"close", close},
          {"ended_early", early},
          {"against", against},
          {"entries", entries}};
}

Json comparison(const Comparison& made) {
  const Judgement& judged = made.judgement;
  Json rows = Json::array(), races = Json::array(), headlines = Json::array();
  for (std::size_t e = 0; e < made.rows.size(); ++e) rows.push_back(row(made, e));
  for (std::size_t c = 0; c < judged.races.size(); ++c) {
    for (std::size_t t = 0; t < judged.targets.size(); ++t) races.push_back(race_json(made, c, t));
    headlines.push_back({{"clock", made.inquiry.clocks[c]},
                         {"text", headline(made.inquiry, judged, c)},
                         {"misses", misses_text(made.inquiry, judged, c)}});
  }
  return {
      {"title", made.title},
      {"headlines", headlines},
      {"turns_round", turns_round(made.inquiry, judged)},
      {"warnings", made.warnings},
      {"clocks", made.inquiry.clocks},
      {"main_clock", made.inquiry.clocks[made.main_clock]},
      {"judged_until_s", figures(made.equal_until)},
      {"baseline", made.inquiry.baselines.empty() ? Json(nullptr) : Json(baseline_name(made))},
      {"targets", figures(judged.targets)},
      {"targets_given", judged.were_targets_given},
      {"start_loss", figure(judged.start)},
      {"best_loss", figure(judged.best)},
      {"pairs",
       {{"are", judged.are_pairs_seeds ? "seeds" : "repeats"}, {"used", judged.pairs}, {"left_out", judged.left_out}}},
      {"spread", spread_kind_text(judged.pairs.size(), judged.are_pairs_seeds ? "seed" : "repeat")},
      {"rows", rows},
      {"races", races}};
}

// ---- in ------------------------------------------------------------------------------------------
[[noreturn]] void refuse(const std::string& where, const char* wanted) {
  throw InputError("judge: {}: {}", where, wanted);
}

void refuse_unknown(const Json& object, const std::string& where, std::initializer_list<const char*> known) {
  if (!object.is_object()) refuse(where, "give an object, { … }");
  for (const auto& [key, value] : object.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      throw InputError("judge: {}: there is no field \"{}\"; it takes {}", where, key.substr(0, 60),
                       fmt::join(std::vector<std::string>(known.begin(), known.end()), ", "));
}

double number_at(const Json& value, const std::string& where) {
  if (value.is_null()) return kNoFigure;
  if (value.is_number()) return value.get<double>();
  if (value == "inf") return kForever;
  if (value == "-inf") return -kForever;
  refuse(where, "give numbers, \"inf\" or null");
}

std::vector<double> numbers(const Json& object, const char* key, const std::string& where) {
  std::vector<double> values;
  const auto found = object.find(key);
  if (found == object.end()) return values;
  if (!found->is_array()) refuse(where + "." + key, "give a list of numbers");
  for (const Json& value : *found) values.push_back(number_at(value, where + "." + key));
  return values;
}

std::string text_at(const Json& object, const char* key, const std::string& where, const std::string& otherwise = "") {
  const auto found = object.find(key);
  if (found == object.end()) return otherwise;
  if (!found->is_string()) refuse(where + "." + key, "give a text");
  return found->get<std::string>();
}

std::uint64_t count_at(const Json& object, const char* key, const std::string& where, std::uint64_t otherwise) {
  const auto found = object.find(key);
  if (found == object.end()) return otherwise;
  if (!found->is_number_unsigned()) refuse(where + "." + key, "give a whole number, 0 or more");
  return found->get<std::uint64_t>();
}

Attributes attributes(const Json& object, const char* key, const std::string& where) {
  Attributes found;
  const auto place = object.find(key);
  if (place == object.end()) return found;
  if (!place->is_object()) refuse(where + "." + key, "give an object of numbers and texts");
  for (const auto& [name, value] : place->items()) {
    if (value.is_boolean())
      found.emplace_back(name, value.get<bool>());
    else if (value.is_number_integer())
      found.emplace_back(name, value.get<std::int64_t>());
    else if (value.is_string() && value != "inf" && value != "-inf")
      found.emplace_back(name, value.get<std::string>());
    else
      found.emplace_back(name, number_at(value, where + "." + key + "." + name));
  }
  return found;
}

RunStatus status_at(const Json& object, const std::string& where) {
  const std::string said = text_at(object, "status", where, to_string(RunStatus::complete));
  for (const RunStatus status : {RunStatus::running, RunStatus::complete, RunStatus::interrupted, RunStatus::diverged})
    if (said == to_string(status)) return status;
  refuse(where + ".status", "give complete, running, interrupted or diverged");
}

ClockedCurve curve_at(const Json& object, const std::string& where) {
  refuse_unknown(object, where, {"clock", "time", "loss", "accuracy", "energy_j"});
  ClockedCurve curve;
  curve.clock = text_at(object, "clock", where);
  curve.time = numbers(object, "time", where);
  curve.loss = numbers(object, "loss", where);
  curve.accuracy = numbers(object, "accuracy", where);
  curve.energy_j = numbers(object, "energy_j", where);
  for (const std::vector<double>* beside : {&curve.loss, curve.energy_j.empty() ? &curve.loss : &curve.energy_j})
    if (beside->size() != curve.time.size()) refuse(where, "time, loss and energy_j differ in length");
  for (std::size_t k = 0; k < curve.time.size(); ++k)
    if (!std::isfinite(curve.time[k]) || curve.time[k] < 0 || (k > 0 && curve.time[k] < curve.time[k - 1]))
      refuse(where + ".time", "times are 0 or more and never run backwards");
  return curve;
}

ComparedRun run_at(const Json& object, const std::string& where) {
  refuse_unknown(object, where,
                 {"algorithm", "setting", "for_target", "label", "seed", "repeat", "status", "verdict", "curves",
                  "config", "summary"});
  ComparedRun run;
  run.algorithm = text_at(object, "algorithm", where);
  if (run.algorithm.empty()) refuse(where, "give its algorithm");
  run.setting = text_at(object, "setting", where);
  if (object.contains("for_target")) run.for_target = number_at(object["for_target"], where + ".for_target");
  if (std::isnan(run.for_target)) run.for_target = 0;
  run.label = text_at(object, "label", where);
  run.seed = count_at(object, "seed", where, 1);
  run.repeat = static_cast<std::uint32_t>(count_at(object, "repeat", where, 0));
  run.status = status_at(object, where);
  run.verdict = text_at(object, "verdict", where, "VALID");
  run.config = attributes(object, "config", where);
  run.summary = attributes(object, "summary", where);
  if (!object.contains("curves") || !object["curves"].is_array() || object["curves"].empty())
    refuse(where, "give its curves, one for each clock");
  for (std::size_t k = 0; k < object["curves"].size(); ++k)
    run.curves.push_back(curve_at(object["curves"][k], fmt::format("{}.curves[{}]", where, k)));
  return run;
}

Json answer_runs(const Json& document) {
  const Json& list = document["runs"];
  if (!list.is_array() || list.empty()) refuse("runs", "give a list of runs");
  std::vector<ComparedRun> runs;
  for (std::size_t k = 0; k < list.size(); ++k) runs.push_back(run_at(list[k], fmt::format("runs[{}]", k)));
  const std::vector<Comparison> made = judge_runs({}, runs, numbers(document, "targets", "the document"),
                                                  text_at(document, "baseline", "the document", kBaseline));
  Json comparisons = Json::array();
  for (const Comparison& one : made) comparisons.push_back(comparison(one));
  return comparisons;
}

// Each list of values → its median.
Json answer_samples(const Json& samples) {
  if (!samples.is_object()) refuse("samples", "give an object of lists of numbers");
  Json medians = Json::object();
  for (const auto& [name, values] : samples.items())
    medians[name] = estimate(estimate_median(numbers(samples, name.c_str(), "samples")));
  return medians;
}

// A family is the comparisons of one statement; each a list of paired ratios. Corrected together.
Json answer_families(const Json& families) {
  if (!families.is_object()) refuse("families", "give an object of families, each an object of lists of ratios");
  Json answers = Json::object();
  for (const auto& [family, members] : families.items()) {
    if (!members.is_object()) refuse("families." + family, "give an object of lists of ratios");
    std::vector<std::string> names;
    std::vector<Against> against;
    for (const auto& [name, values] : members.items()) {
      const std::vector<double> ratios = numbers(members, name.c_str(), "families." + family);
      if (std::ranges::any_of(ratios, [](double r) { return r < 0; }))
        refuse(fmt::format("families.{}.{}", family, name), "ratios are 0 or more, \"inf\", or null: none arrived");
      names.push_back(name);
      against.push_back(against_one(ratios));
    }
    correct_together(against);
    Json answer = Json::object();
    for (std::size_t k = 0; k < names.size(); ++k) {
      answer[names[k]] = {{"ratio", estimate(against[k].ratio)}};
      answer[names[k]].update(test(against[k].test, against[k].corrected_p, against[k].is_clear));
    }
    answers[family] = answer;
  }
  return answers;
}

Json parse(const std::string& document) {
  try {
    return Json::parse(document);
  } catch (const nlohmann::json::parse_error& error) {
    throw InputError("judge: not JSON at byte {}; give one document, as analysis/README.md describes it", error.byte);
  }
}

std::string text_of(const Json& document) {
  return document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string comparison_json_mark() { return fmt::format("{{\n \"format\": \"{}\",", kComparisonFormat); }

std::string comparison_json(const std::vector<Comparison>& comparisons) {
  Json list = Json::array();
  for (const Comparison& one : comparisons) list.push_back(comparison(one));
  return text_of({{"format", kComparisonFormat}, {"version", kComparisonVersion}, {"comparisons", list}});
}

std::string answer_json(const std::string& text) {
  const Json document = parse(text);
  refuse_unknown(document, "the document", {"runs", "targets", "baseline", "samples", "families"});
  Json answer = {{"format", kComparisonFormat}, {"version", kComparisonVersion}};
  if (document.contains("runs")) answer["comparisons"] = answer_runs(document);
  if (document.contains("samples")) answer["medians"] = answer_samples(document["samples"]);
  if (document.contains("families")) answer["families"] = answer_families(document["families"]);
  return text_of(answer);
}

}  // namespace quantimed
