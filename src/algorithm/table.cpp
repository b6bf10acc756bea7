// SPDX-License-Identifier: BSD-3-Clause
#include "algorithm/table.hpp"

#include "algorithm/algorithms.hpp"
#include "algorithm/own.hpp"
#include "base/error.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace quantimed {

namespace {

// ---- states and parameters of the rows ----
constexpr StateRow kMomentum[] = {{"m", StateRow::Start::zero, StateRow::Kind::lasting}};
constexpr StateRow kLocal[] = {{"y", StateRow::Start::model, StateRow::Kind::scratch}};
constexpr StateRow kDiloco[] = {{"m", StateRow::Start::zero, StateRow::Kind::lasting},
                                {"y", StateRow::Start::model, StateRow::Kind::scratch}};
constexpr StateRow kR[] = {{"r", StateRow::Start::zero, StateRow::Kind::lasting, true}};
constexpr StateRow kU[] = {{"u", StateRow::Start::zero, StateRow::Kind::lasting, true}};
constexpr StateRow kC[] = {{"c", StateRow::Start::zero, StateRow::Kind::lasting, true}};
constexpr StateRow kAug[] = {{"c", StateRow::Start::zero, StateRow::Kind::lasting, true},
                             {"y", StateRow::Start::zero, StateRow::Kind::scratch}};
constexpr StateRow kChoco[] = {{"x_hat", StateRow::Start::model, StateRow::Kind::lasting},
                               {"d", StateRow::Start::zero, StateRow::Kind::wide, true}};
constexpr StateRow kDcd[] = {{"d", StateRow::Start::zero, StateRow::Kind::wide, true}};
constexpr StateRow kEcd[] = {{"s", StateRow::Start::model, StateRow::Kind::lasting}};
constexpr StateRow kError[] = {{"e", StateRow::Start::zero, StateRow::Kind::lasting}};
constexpr StateRow kLead[] = {{"h", StateRow::Start::model, StateRow::Kind::lasting},
                              {"r", StateRow::Start::zero, StateRow::Kind::wide, true},
                              {"d", StateRow::Start::zero, StateRow::Kind::wide, true}};
constexpr StateRow kBeer[] = {{"h", StateRow::Start::model, StateRow::Kind::lasting},
                              {"dh", StateRow::Start::zero, StateRow::Kind::wide, true},
                              {"k", StateRow::Start::zero, StateRow::Kind::lasting},
                              {"dk", StateRow::Start::zero, StateRow::Kind::wide, true},
                              {"c", StateRow::Start::zero, StateRow::Kind::wide, true}};
constexpr StateRow kMotef[] = {
    {"h", StateRow::Start::model, StateRow::Kind::lasting},   {"dh", StateRow::Start::zero, StateRow::Kind::wide, true},
    {"k", StateRow::Start::zero, StateRow::Kind::lasting},    {"dk", StateRow::Start::zero, StateRow::Kind::wide, true},
    {"c", StateRow::Start::zero, StateRow::Kind::wide, true}, {"m", StateRow::Start::zero, StateRow::Kind::lasting},
    {"now", StateRow::Start::zero, StateRow::Kind::scratch}};
constexpr StateRow kAmb[] = {{"z", StateRow::Start::zero, StateRow::Kind::lasting},
                             {"x_0", StateRow::Start::model, StateRow::Kind::lasting}};
constexpr StateRow kRead[] = {{"read", StateRow::Start::model, StateRow::Kind::lasting}};
constexpr StateRow kSwarm[] = {{"base", StateRow::Start::model, StateRow::Kind::lasting},
                               {"y", StateRow::Start::model, StateRow::Kind::lasting}};
constexpr ParameterUse kBeta[] = {{Parameter::momentum, 0}};
constexpr ParameterUse kQuasi[] = {{Parameter::momentum, 0.9}};
constexpr ParameterUse kTau[] = {{Parameter::local_steps, 4}};
constexpr ParameterUse kFewSteps[] = {{Parameter::local_steps, 3}};
constexpr ParameterUse kPeriod[] = {{Parameter::period, 8}};
constexpr ParameterUse kEvery[] = {{Parameter::period, 1}};
constexpr ParameterUse kOuter[] = {
    {Parameter::outer_step, 0.7}, {Parameter::momentum, 0.9}, {Parameter::local_steps, 16}};
constexpr ParameterUse kGamma[] = {{Parameter::gamma, 0.1}};
constexpr ParameterUse kSmallGamma[] = {{Parameter::gamma, 0.05}};
constexpr ParameterUse kGammaFull[] = {{Parameter::gamma, 1}};
constexpr ParameterUse kLeadNumbers[] = {{Parameter::gamma, 1}, {Parameter::averaging, 0.5}};
constexpr ParameterUse kMotefNumbers[] = {{Parameter::gamma, 0.05}, {Parameter::momentum, 0.9}};
constexpr const char* kBySpeed = "the nodes' losses weighted by their speeds, where these differ for long";
constexpr ParameterUse kRounds[] = {{Parameter::rounds, 5}};

constexpr std::array kTable = {
    AlgorithmRow{.name = "quantimed-dsgd",
                 .help = "computes until a deadline, sends quantized models",
                 .run = quantimed_dsgd,
                 .delivery = Delivery::round,
                 .quantizes = true,
                 .uses_epsilon = true,
                 .uses_deadline = true,
                 .goes_on_without = true,
                 .alpha = "0.3*T^(-1/6)",
                 .epsilon = "15*T^(-1/2)",
                 .paper = "Reisizadeh, Taheri, Mokhtari, Hassani, Pedarsani: Robust and communication-efficient "
                          "collaborative learning, NeurIPS 2019",
                 .sends_its_model = true,
                 .is_compared = true},
    AlgorithmRow{.name = "dsgd",
                 .help = "synchronous: fixed batch, exact models, waits for the slowest",
                 .run = dsgd,
                 .delivery = Delivery::round,
                 .quantizes = false,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = false,
                 .alpha = "0.2",
                 .epsilon = "1",
                 .paper = "Yuan, Ling, Yin: On the convergence of decentralized gradient descent, SIAM J. Optim. 2016",
                 .graph = kAnyGraph,
                 .sends_its_model = true,
                 .is_compared = true},
    AlgorithmRow{
        .name = "async-dsgd",
        .help = "asynchronous: fixed batch, newest exact models, waits for nobody",
        .run = async_dsgd,
        .delivery = Delivery::newest,
        .quantizes = false,
        .uses_epsilon = false,
        .uses_deadline = false,
        .goes_on_without = true,
        .alpha = "0.2",
        .epsilon = "1",
        .paper = "Lian, Zhang, Zhang, Liu: Asynchronous decentralized parallel stochastic gradient descent, ICML 2018",
        .sends_its_model = true,
        .is_compared = true},
    AlgorithmRow{.name = "q-dsgd",
                 .help = "quantized only: fixed batch, quantized models, waits for the slowest",
                 .run = q_dsgd,
                 .delivery = Delivery::round,
                 .quantizes = true,
                 .uses_epsilon = true,
                 .uses_deadline = false,
                 .goes_on_without = false,
                 .alpha = "0.3*T^(-1/6)",
                 .epsilon = "15*T^(-1/2)",
                 .paper = "Reisizadeh, Mokhtari, Hassani, Pedarsani: An exact quantized decentralized gradient descent "
                          "algorithm, IEEE TSP 2019",
                 .sends_its_model = true,
                 .is_compared = true},
    AlgorithmRow{.name = "dsgd-atc",
                 .help = "DSGD in the other order: adapts, then combines; with momentum",
                 .run = dsgd_atc,
                 .delivery = Delivery::round,
                 .quantizes = false,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = true,
                 .alpha = "0.2",
                 .epsilon = "1",
                 .paper = "Chen, Sayed: Diffusion adaptation strategies for distributed optimization and learning over "
                          "networks, IEEE TSP 2012",
                 .states = kMomentum,
                 .parameters = kBeta,
                 .exchanges = sent_late,
                 .graph = kAnyGraph},
    AlgorithmRow{.name = "qg-dsgdm",
                 .help = "DSGD with quasi-global momentum: follows what the model has moved by",
                 .run = qg_dsgdm,
                 .delivery = Delivery::round,
                 .quantizes = false,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = true,
                 .alpha = "0.2",
                 .epsilon = "1",
                 .paper = "Lin, Karimireddy, Stich, Jaggi: Quasi-global momentum: accelerating decentralized deep "
                          "learning on heterogeneous data, ICML 2021",
                 .states = kMomentum,
                 .parameters = kQuasi,
                 .exchanges = sent_late,
                 .graph = kAnyGraph},
    AlgorithmRow{.name = "local-dsgd",
                 .help = "several steps of its own between two exchanges",
                 .run = local_dsgd,
                 .delivery = Delivery::round,
                 .quantizes = false,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = true,
                 .alpha = "0.2",
                 .epsilon = "1",
                 .paper = "Koloskova, Loizou, Boreiri, Jaggi, Stich: A unified theory of decentralized SGD with "
                          "changing topology and local updates, ICML 2020",
                 .states = kLocal,
                 .parameters = kTau,
                 .exchanges = sent_late,
                 .graph = kAnyGraph},
    AlgorithmRow{
        .name = "gossip-pga",
        .help = "gossip, and now and then an average of all nodes",
        .run = gossip_pga,
        .delivery = Delivery::round,
        .quantizes = false,
        .uses_epsilon = false,
        .uses_deadline = false,
        .goes_on_without = false,
        .alpha = "0.2",
        .epsilon = "1",
        .paper = "Chen, Yuan, Zhang, Pan, Xu, Yin: Accelerating gossip SGD with periodic global averaging, ICML 2021",
        .parameters = kPeriod,
        .exchanges = gossip_pga_exchanges,
        .channels = 2,
        .graph = kAnyGraph},
    AlgorithmRow{
        .name = "sgp",
        .help = "stochastic gradient push: push-sum weights instead of a doubly stochastic W",
        .run = sgp,
        .delivery = Delivery::round,
        .quantizes = false,
        .uses_epsilon = false,
        .uses_deadline = false,
        .goes_on_without = false,
        .alpha = "0.2",
        .epsilon = "1",
        .paper = "Assran, Loizou, Ballas, Rabbat: Stochastic gradient push for distributed deep learning, ICML 2019",
        .exchanges = sent_late,
        .message_scalars = 1,
        .weights = Weights::push,
        .graph = kAnyGraph},
    AlgorithmRow{.name = "allreduce-sgd",
                 .help = "centralized: the mean of all nodes in every iteration",
                 .run = allreduce_sgd,
                 .delivery = Delivery::round,
                 .quantizes = false,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = false,
                 .alpha = "0.2",
                 .epsilon = "1",
                 .paper = "the centralized yardstick: synchronous SGD with a ring all-reduce",
                 .exchanges = collective,
                 .graph = kAnyGraph},
    AlgorithmRow{.name = "local-sgd",
                 .help = "centralized: several steps of its own, then the mean of all nodes",
                 .run = local_sgd,
                 .delivery = Delivery::round,
                 .quantizes = false,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = false,
                 .alpha = "0.2",
                 .epsilon = "1",
                 .paper = "Stich: Local SGD converges fast and communicates little, ICLR 2019",
                 .states = kLocal,
                 .parameters = kTau,
                 .exchanges = collective,
                 .graph = kAnyGraph},
    AlgorithmRow{.name = "diloco",
                 .help = "centralized: local steps, and an outer step with Nesterov momentum",
                 .run = diloco,
                 .delivery = Delivery::round,
                 .quantizes = false,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = false,
                 .alpha = "0.2",
                 .epsilon = "1",
                 .paper = "Douillard et al.: DiLoCo: distributed low-communication training of language models, 2023",
                 .states = kDiloco,
                 .parameters = kOuter,
                 .exchanges = collective,
                 .graph = kAnyGraph},
    AlgorithmRow{.name = "d2",
                 .help = "exact for heterogeneous data; needs a W without small eigenvalues",
                 .run = d2,
                 .delivery = Delivery::round,
                 .quantizes = false,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = false,
                 .alpha = "0.2",
                 .epsilon = "1",
                 .paper = "Tang, Lian, Yan, Zhang, Liu: D2: decentralized training over decentralized data, ICML 2018",
                 .states = kR,
                 .exchanges = sent_late,
                 .least_eigenvalue = -1.0 / 3},
    AlgorithmRow{
        .name = "exact-diffusion",
        .help = "exact for heterogeneous data, on any W",
        .run = exact_diffusion,
        .delivery = Delivery::round,
        .quantizes = false,
        .uses_epsilon = false,
        .uses_deadline = false,
        .goes_on_without = false,
        .alpha = "0.2",
        .epsilon = "1",
        .paper = "Yuan, Ying, Zhao, Sayed: Exact diffusion for distributed optimization and learning, IEEE TSP 2019",
        .states = kR,
        .exchanges = sent_late},
    AlgorithmRow{.name = "extra",
                 .help = "exact for heterogeneous data: combines while it adapts",
                 .run = extra,
                 .delivery = Delivery::round,
                 .quantizes = false,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = false,
                 .alpha = "0.2",
                 .epsilon = "1",
                 .paper = "Shi, Ling, Wu, Yin: EXTRA: an exact first-order algorithm for decentralized consensus "
                          "optimization, SIAM J. Optim. 2015",
                 .states = kU,
                 .exchanges = sent_early},
    AlgorithmRow{.name = "dsgt",
                 .help = "gradient tracking (DIGing); sends model and tracker",
                 .run = dsgt,
                 .delivery = Delivery::round,
                 .quantizes = false,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = false,
                 .alpha = "0.2",
                 .epsilon = "1",
                 .paper = "Nedić, Olshevsky, Shi: Achieving geometric convergence for distributed optimization over "
                          "time-varying graphs, SIAM J. Optim. 2017",
                 .states = kC,
                 .exchanges = two_vectors,
                 .channels = 2,
                 .graph = kAnyGraph},
    AlgorithmRow{.name = "dsgt-atc",
                 .help = "gradient tracking, adapts then combines; larger steps than dsgt",
                 .run = dsgt_atc,
                 .delivery = Delivery::round,
                 .quantizes = false,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = false,
                 .alpha = "0.2",
                 .epsilon = "1",
                 .paper = "Di Lorenzo, Scutari: NEXT: in-network nonconvex optimization, IEEE TSIPN 2016",
                 .states = kC,
                 .exchanges = two_vectors,
                 .channels = 2,
                 .graph = kAnyGraph},
    AlgorithmRow{.name = "aug-dgm",
                 .help = "gradient tracking with two exchanges, one after the other",
                 .run = aug_dgm,
                 .delivery = Delivery::round,
                 .quantizes = false,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = false,
                 .alpha = "0.2",
                 .epsilon = "1",
                 .paper = "Xu, Zhu, Soh, Xie: Augmented distributed gradient methods for multi-agent optimization "
                          "under uncoordinated constant stepsizes, CDC 2015",
                 .states = kAug,
                 .exchanges = two_exchanges,
                 .channels = 2,
                 .graph = kAnyGraph},
    AlgorithmRow{.name = "choco-sgd",
                 .help = "compressed differences, damped mixing",
                 .run = choco_sgd,
                 .delivery = Delivery::round,
                 .quantizes = true,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = false,
                 .alpha = "0.2",
                 .epsilon = "1",
                 .paper = "Koloskova, Stich, Jaggi: Decentralized stochastic optimization and gossip algorithms with "
                          "compressed communication, ICML 2019",
                 .states = kChoco,
                 .parameters = kGamma,
                 .exchanges = sent_late,
                 .codec = CodecNeed::contraction,
                 .graph = {.symmetric = false}},
    AlgorithmRow{
        .name = "dcd-psgd",
        .help = "compressed differences, undamped: for codes with little noise",
        .run = dcd_psgd,
        .delivery = Delivery::round,
        .quantizes = true,
        .uses_epsilon = false,
        .uses_deadline = false,
        .goes_on_without = false,
        .alpha = "0.2",
        .epsilon = "1",
        .paper = "Tang, Gan, Zhang, Zhang, Liu: Communication compression for decentralized training, NeurIPS 2018",
        .states = kDcd,
        .exchanges = sent_late,
        .codec = CodecNeed::small_error,
        .graph = {.symmetric = false}},
    AlgorithmRow{
        .name = "ecd-psgd",
        .help = "compressed extrapolations of models",
        .run = ecd_psgd,
        .delivery = Delivery::round,
        .quantizes = true,
        .uses_epsilon = false,
        .uses_deadline = false,
        .goes_on_without = false,
        .alpha = "0.2",
        .epsilon = "1",
        .paper = "Tang, Gan, Zhang, Zhang, Liu: Communication compression for decentralized training, NeurIPS 2018",
        .states = kEcd,
        .exchanges = sent_late,
        .codec = CodecNeed::small_error,
        .graph = {.symmetric = false}},
    AlgorithmRow{.name = "deepsqueeze",
                 .help = "compressed models with error compensation",
                 .run = deepsqueeze,
                 .delivery = Delivery::round,
                 .quantizes = true,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = true,
                 .alpha = "0.2",
                 .epsilon = "1",
                 .paper = "Tang, Lian, Qiu, Yuan, Zhang, Zhang, Liu: DeepSqueeze: decentralization meets "
                          "error-compensated compression, 2019",
                 .states = kError,
                 .parameters = kGamma,
                 .exchanges = sent_late,
                 .codec = CodecNeed::contraction,
                 .graph = kAnyGraph},
    AlgorithmRow{.name = "moniqua",
                 .help = "models modulo a range; the mean stays exact",
                 .run = moniqua,
                 .delivery = Delivery::round,
                 .quantizes = true,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = true,
                 .alpha = "0.2",
                 .epsilon = "1",
                 .paper = "Lu, De Sa: Moniqua: modulo quantized communication in decentralized SGD, ICML 2020",
                 .parameters = kGammaFull,
                 .exchanges = sent_early,
                 .codec = CodecNeed::models,
                 .graph = {.fixed = false}},
    AlgorithmRow{
        .name = "lead",
        .help = "exact for heterogeneous data with unbiased codes",
        .run = lead,
        .delivery = Delivery::round,
        .quantizes = true,
        .uses_epsilon = false,
        .uses_deadline = false,
        .goes_on_without = false,
        .alpha = "0.2",
        .epsilon = "1",
        .paper = "Liu, Li, Wang, Tang, Yan: Linear convergent decentralized optimization with compression, ICLR 2021",
        .states = kLead,
        .parameters = kLeadNumbers,
        .exchanges = sent_late,
        .codec = CodecNeed::unbiased},
    AlgorithmRow{.name = "beer",
                 .help = "gradient tracking with compressed differences",
                 .run = beer,
                 .delivery = Delivery::round,
                 .quantizes = true,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = false,
                 .alpha = "0.2",
                 .epsilon = "1",
                 .paper = "Zhao, Li, Li, Richtárik, Chi: BEER: fast O(1/T) rate for decentralized nonconvex "
                          "optimization with communication compression, NeurIPS 2022",
                 .states = kBeer,
                 .parameters = kSmallGamma,
                 .exchanges = two_vectors,
                 .channels = 2,
                 .codec = CodecNeed::contraction,
                 .graph = {.symmetric = false}},
    AlgorithmRow{
        .name = "motef",
        .help = "beer with a moving average of gradients",
        .run = motef,
        .delivery = Delivery::round,
        .quantizes = true,
        .uses_epsilon = false,
        .uses_deadline = false,
        .goes_on_without = false,
        .alpha = "0.2",
        .epsilon = "1",
        .paper =
            "Islamov, Gao, Stich: Near optimal decentralized optimization with compression and momentum tracking, 2024",
        .states = kMotef,
        .parameters = kMotefNumbers,
        .exchanges = two_vectors,
        .channels = 2,
        .codec = CodecNeed::contraction,
        .graph = {.symmetric = false}},
    AlgorithmRow{.name = "amb",
                 .help = "Anytime Minibatch: computes until a deadline, then several exchanges",
                 .run = amb,
                 .delivery = Delivery::round,
                 .quantizes = false,
                 .uses_epsilon = false,
                 .uses_deadline = true,
                 .goes_on_without = true,
                 .alpha = "0.2",
                 .epsilon = "1",
                 .paper = "Ferdinand, Al-Lawati, Draper, Nokleby: Anytime minibatch: exploiting stragglers in online "
                          "distributed optimization, ICLR 2019",
                 .states = kAmb,
                 .parameters = kRounds,
                 .exchanges = amb_exchanges,
                 .message_scalars = 1,
                 .graph = kAnyGraph,
                 .minimises = kBySpeed},
    AlgorithmRow{.name = "swift",
                 .help = "asynchronous: sends its model before it mixes, mixes in every C-th step",
                 .run = swift,
                 .delivery = Delivery::newest,
                 .quantizes = false,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = true,
                 .alpha = "0.2",
                 .epsilon = "1",
                 .paper = "Bornstein, Rabbani, Wang, Bedi, Huang: SWIFT: rapid decentralized federated learning via "
                          "wait-free model communication, ICLR 2023",
                 .parameters = kEvery,
                 .exchanges = sent_late,
                 .sends_its_model = true},
    AlgorithmRow{.name = "ad-psgd",
                 .help = "asynchronous: averages with one random neighbour, which computes on",
                 .run = ad_psgd,
                 .delivery = Delivery::pairwise,
                 .quantizes = false,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = true,
                 .alpha = "0.2",
                 .epsilon = "1",
                 .paper = "Lian, Zhang, Zhang, Liu: Asynchronous decentralized parallel stochastic gradient descent, "
                          "ICML 2018",
                 .states = kRead,
                 .exchanges = there_and_back,
                 .channels = 0,
                 .weights = Weights::none,
                 .minimises = kBySpeed},
    AlgorithmRow{.name = "swarmsgd",
                 .help = "asynchronous: local steps, then the mean with one random neighbour",
                 .run = swarm_sgd,
                 .delivery = Delivery::pairwise,
                 .quantizes = false,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = true,
                 .alpha = "0.2",
                 .epsilon = "1",
                 .paper = "Nadiradze, Sabour, Davies, Li, Alistarh: Asynchronous decentralized SGD with quantized and "
                          "local updates, NeurIPS 2021",
                 .states = kSwarm,
                 .parameters = kFewSteps,
                 .exchanges = there_and_back,
                 .channels = 0,
                 .weights = Weights::none,
                 .minimises = kBySpeed},
    AlgorithmRow{.name = "relaysgd",
                 .help = "on a tree: sums of all nodes' models are passed on, each neighbour gets its own",
                 .run = relay_sgd,
                 .delivery = Delivery::round,
                 .quantizes = false,
                 .uses_epsilon = false,
                 .uses_deadline = false,
                 .goes_on_without = false,
                 .alpha = "0.2",
                 .epsilon = "1",
                 .paper = "Vogels, He, Koloskova, Karimireddy, Lin, Stich, Jaggi: RelaySum for decentralized deep "
                          "learning on heterogeneous data, NeurIPS 2021",
                 .states = kMomentum,
                 .parameters = kBeta,
                 .exchanges = sent_late,
                 .message_scalars = 1,
                 .weights = Weights::ones,
                 .graph = {.tree = true},
                 .sends_each_its_own = true},
};

// Those above, and then those of a program that links the library: complete before main().
std::vector<AlgorithmRow>& all_rows() {
  static std::vector<AlgorithmRow> rows(kTable.begin(), kTable.end());
  return rows;
}

}  // namespace

std::span<const AlgorithmRow> algorithm_table() { return all_rows(); }
std::span<const AlgorithmRow> own_algorithms() { return algorithm_table().subspan(kTable.size()); }

OwnAlgorithm::OwnAlgorithm(const AlgorithmRow& row) {
  for (const AlgorithmRow& other : all_rows())
    if (std::string_view(row.name) == other.name) {  // nobody could catch an exception before main()
      std::fprintf(stderr, "quantimed: two algorithms are called %s; give one of them another name\n", row.name);
      std::_Exit(2);
    }
  all_rows().push_back(row);
}

const AlgorithmRow& find_algorithm(std::string_view name) {
  std::string known;
  for (const AlgorithmRow& row : algorithm_table()) {
    if (name == row.name) return row;
    known += known.empty() ? row.name : std::string(", ") + row.name;
  }
  throw InputError("--algorithm {}: not known; use one of {}", name, known);
}

std::vector<std::string> compared_algorithms() {
  std::vector<std::string> names;
  for (const AlgorithmRow& row : algorithm_table())
    if (row.is_compared) names.emplace_back(row.name);
  return names;
}

Options usual_options(const AlgorithmRow& row) {
  Options options;
  for (const ParameterUse& use : row.parameters) row_of(use.parameter).set(options, use.usual);
  return options;
}

}  // namespace quantimed
