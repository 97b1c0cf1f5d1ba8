// rnn_bench_onednn: our recurrent kernels and oneDNN's on the same work, alternating, in one
// process. oneDNN gets its own best layouts: weights and states are reordered outside the timing.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dnnl.hpp>
#include <string>
#include <thread>
#include <unordered_map>

#include "bench/kernels/peak.h"
#include "bench/kernels/work.h"

namespace rnn::bench {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;
using Type = memory::data_type;

/// One layer of oneDNN's LSTM, or of its GRU with reset after ("linear before reset").
class OneDnn {
 public:
  OneDnn(Cell cell, long T, long B, long H)
      : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    using dnnl::prop_kind;
    const auto any = [](memory::dims dims) { return memory::desc(dims, Type::f32, Tag::any); };
    const long G = gates_of(cell);
    const memory::desc x = any({T, B, H}), y = any({T, B, H}), state = any({1, 1, B, H});
    const memory::desc kernel = any({1, 1, H, G, H}), none;
    const memory::desc bias = any({1, 1, cell == Cell::kGru ? 4 : G, H});
    const auto direction = dnnl::rnn_direction::unidirectional_left2right;
    if (cell == Cell::kLstm) {
      const dnnl::lstm_forward::primitive_desc forward(
          {prop_kind::forward_training, direction, x, state, state, kernel, kernel, bias, y, state,
           state},
          engine_);
      const dnnl::lstm_backward::primitive_desc backward({prop_kind::backward,
                                                          direction,
                                                          x,
                                                          state,
                                                          state,
                                                          kernel,
                                                          kernel,
                                                          bias,
                                                          y,
                                                          state,
                                                          state,
                                                          x,
                                                          state,
                                                          state,
                                                          kernel,
                                                          kernel,
                                                          bias,
                                                          y,
                                                          state,
                                                          state},
                                                         engine_, forward);
      prepare(forward, backward, true);
      forward_ = dnnl::lstm_forward(forward);
      backward_ = dnnl::lstm_backward(backward);
    } else {
      const dnnl::lbr_gru_forward::primitive_desc forward(
          {prop_kind::forward_training, direction, x, state, kernel, kernel, bias, y, state},
          engine_);
      const dnnl::lbr_gru_backward::primitive_desc backward(
          {prop_kind::backward, direction, x, state, kernel, kernel, bias, y, state, x, state,
           kernel, kernel, bias, y, state},
          engine_, forward);
      prepare(forward, backward, false);
      forward_ = dnnl::lbr_gru_forward(forward);
      backward_ = dnnl::lbr_gru_backward(backward);
    }
  }
  void forward() {
    forward_.execute(stream_, forward_args_);
    stream_.wait();
  }
  void backward() {
    backward_.execute(stream_, backward_args_);
    stream_.wait();
  }

 private:
  using Args = std::unordered_map<int, memory>;

  memory make(const memory::desc& desc) {
    memory m(desc, engine_);
    float* data = static_cast<float*>(m.get_data_handle());
    for (std::size_t i = 0; i < desc.get_size() / sizeof(float); ++i) {
      data[i] = 0.05f * (static_cast<float>(i * 7919 % 1000) / 500 - 1);
    }
    return m;
  }
  template <class Forward, class Backward>
  void prepare(const Forward& f, const Backward& b, bool lstm) {
    forward_args_ = {{DNNL_ARG_SRC_LAYER, make(f.src_layer_desc())},
                     {DNNL_ARG_SRC_ITER, make(f.src_iter_desc())},
                     {DNNL_ARG_WEIGHTS_LAYER, make(f.weights_layer_desc())},
                     {DNNL_ARG_WEIGHTS_ITER, make(f.weights_iter_desc())},
                     {DNNL_ARG_BIAS, make(f.bias_desc())},
                     {DNNL_ARG_DST_LAYER, make(f.dst_layer_desc())},
                     {DNNL_ARG_DST_ITER, make(f.dst_iter_desc())},
                     {DNNL_ARG_WORKSPACE, make(f.workspace_desc())}};
    backward_args_ = forward_args_;
    backward_args_[DNNL_ARG_WEIGHTS_LAYER] = make(b.weights_layer_desc());
    backward_args_[DNNL_ARG_WEIGHTS_ITER] = make(b.weights_iter_desc());
    backward_args_[DNNL_ARG_DIFF_SRC_LAYER] = make(b.diff_src_layer_desc());
    backward_args_[DNNL_ARG_DIFF_SRC_ITER] = make(b.diff_src_iter_desc());
    backward_args_[DNNL_ARG_DIFF_WEIGHTS_LAYER] = make(b.diff_weights_layer_desc());
    backward_args_[DNNL_ARG_DIFF_WEIGHTS_ITER] = make(b.diff_weights_iter_desc());
    backward_args_[DNNL_ARG_DIFF_BIAS] = make(b.diff_bias_desc());
    backward_args_[DNNL_ARG_DIFF_DST_LAYER] = make(b.diff_dst_layer_desc());
    backward_args_[DNNL_ARG_DIFF_DST_ITER] = make(b.diff_dst_iter_desc());
    if constexpr (requires { f.src_iter_c_desc(); }) {
      if (lstm) {
        forward_args_[DNNL_ARG_SRC_ITER_C] = make(f.src_iter_c_desc());
        forward_args_[DNNL_ARG_DST_ITER_C] = make(f.dst_iter_c_desc());
        backward_args_[DNNL_ARG_SRC_ITER_C] = forward_args_[DNNL_ARG_SRC_ITER_C];
        backward_args_[DNNL_ARG_DST_ITER_C] = forward_args_[DNNL_ARG_DST_ITER_C];
        backward_args_[DNNL_ARG_DIFF_SRC_ITER_C] = make(b.diff_src_iter_c_desc());
        backward_args_[DNNL_ARG_DIFF_DST_ITER_C] = make(b.diff_dst_iter_c_desc());
      }
    }
  }

  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::primitive forward_, backward_;
  Args forward_args_, backward_args_;
};

/// Threads of the other library spin for a while after their work; lets them fall asleep.
void wait_for_quiet() { std::this_thread::sleep_for(std::chrono::milliseconds(20)); }

template <class Work>
double time_of(const Work& work) {
  wait_for_quiet();
  work();
  return seconds_a_call(work);
}

void compare(Cell cell, long T, long B, long H, int threads, int rounds) {
  const auto backend = make_backend({.name = "native", .threads = {.threads = threads}});
  RecurrentWork ours(*backend, cell, T, B, H, H);
  OneDnn theirs(cell, T, B, H);
  std::vector<double> f_ratio, b_ratio, f_ours, f_theirs, b_ours, b_theirs, peaks;
  for (int round = 0; round < rounds; ++round) {
    wait_for_quiet();
    peaks.push_back(fma_peak(threads, 0.02));
    f_ours.push_back(time_of([&] { ours.forward(); }));
    f_theirs.push_back(time_of([&] { theirs.forward(); }));
    // Ours consumes what forward keeps.
    const double pair = time_of([&] {
      ours.forward();
      ours.backward();
    });
    b_ours.push_back(pair - f_ours.back());
    b_theirs.push_back(time_of([&] { theirs.backward(); }));
    f_ratio.push_back(f_theirs.back() / f_ours.back());
    b_ratio.push_back(b_theirs.back() / b_ours.back());
  }
  const double f = 1e-9 * ours.operations(), b = 2 * f;
  std::printf(
      "%-5s T%ld B%-3ld H%-5ld peak %4.0f | forward %4.0f against %4.0f, ratio %.2f | "
      "backward %4.0f against %4.0f, ratio %.2f\n",
      std::string(name_of(cell)).c_str(), T, B, H, median(peaks), f / median(f_ours),
      f / median(f_theirs), median(f_ratio), b / median(b_ours), b / median(b_theirs),
      median(b_ratio));
  std::fflush(stdout);
}

}  // namespace
}  // namespace rnn::bench

int main(int argc, char** argv) {
  int threads = 2, rounds = 5;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!std::strcmp(argv[i], "--threads")) threads = std::atoi(argv[i + 1]);
    if (!std::strcmp(argv[i], "--rounds")) rounds = std::atoi(argv[i + 1]);
  }
  // OpenMP has looked at the environment before main: begin anew where it says something else.
  const std::string wanted = std::to_string(threads);
  const char* said = std::getenv("OMP_NUM_THREADS");
  if (!said || said != wanted) {
    setenv("OMP_NUM_THREADS", wanted.c_str(), 1);
    execv("/proc/self/exe", argv);
  }
  std::printf("GFLOP/s of ours against oneDNN %d.%d, %d threads; ratio above 1: ours is faster\n",
              dnnl_version()->major, dnnl_version()->minor, threads);
  for (rnn::Cell cell : {rnn::Cell::kLstm, rnn::Cell::kGru}) {
    for (long H : {200, 256, 512, 1024}) {
      for (long B : {20, 64}) rnn::bench::compare(cell, 35, B, H, threads, rounds);
    }
  }
}
