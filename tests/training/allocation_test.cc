// A training step takes no memory from the heap once the largest shape has been seen: every way to
// allocate in this program is counted.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "rnn/model.h"
#include "support/for_each_backend.h"
#include "support/spelling_network.h"
#include "support/toy_source.h"

namespace {

std::atomic<long> allocations{0};

void* counted(std::size_t size, std::size_t alignment) {
  ++allocations;
  // aligned_alloc wants a multiple of the alignment.
  void* memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (!memory) throw std::bad_alloc();
  return memory;
}

// Not inline: else GCC sees memory of an operator new that it did not inline reach free(), and
// warns.
[[gnu::noinline]] void release(void* memory) noexcept { std::free(memory); }

}  // namespace

void* operator new(std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new[](std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
// std::stable_sort asks in this way for its buffer.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return counted(size, alignof(std::max_align_t));
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return counted(size, alignof(std::max_align_t));
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }

namespace rnn {
namespace {

class Allocations : public ::testing::TestWithParam<Cell> {};

TEST(Counting, Counts) {
  const long before = allocations;
  const Tensor tensor(Shape{3});
  EXPECT_EQ(allocations - before, 1);
}

TEST_P(Allocations, NoneInAStepByHandAfterTheLargestShape) {
  for (const std::string& name : test::float_backends()) {
    for (const Optimizer& optimizer :
         {Optimizer(SGD{}), Optimizer(SGD{.momentum = 0.9f}), Optimizer(RMSprop{}),
          Optimizer(Adam{}), Optimizer(AdamW{})}) {
      const auto backend = make_backend({.name = name});
      const Sequential network =
          test::toy_network({.cell = GetParam(), .layers = 2, .dropout = 0.2f});
      Parameters parameters = network.initial_parameters(1, *backend);
      Session session(network, parameters, backend);
      OptimizerState remembered;
      std::vector<Batch> batches;
      for (const auto& [time, batch] :
           {std::pair<Index, Index>{7, 5}, {7, 5}, {3, 5}, {7, 2}, {1, 1}, {7, 5}}) {
        batches.push_back(test::random_batch(time, batch, 6, 1));
      }
      batches[1].lengths = {7, 0, 3, 1, 6};
      std::vector<State> states;
      for (const Batch& batch : batches)
        states.push_back(network.zero_state(batch.batch, *backend));
      const auto step = [&](std::size_t i) {
        session.begin_step(static_cast<std::int64_t>(i));
        session.zero_gradients();
        session.forward(batches[i], states[i]);
        session.backward();
        apply(optimizer, 0.01f, 1, session.gradients(), parameters, remembered, *backend);
      };
      step(0);
      for (std::size_t i = 1; i < batches.size(); ++i) {
        const long before = allocations;
        step(i);
        EXPECT_EQ(allocations - before, 0) << "batch " << i << ", optimizer " << optimizer.index();
      }
    }
  }
}

TEST(GraphAllocations, NoneInAStepAfterTheLargestShapeOrAReservedOne) {
  for (const std::string& name : test::float_backends()) {
    for (bool reserve : {false, true}) {
      const auto backend = make_backend({.name = name});
      const Network network = test::spelling_network({.dropout = 0.2f});
      const Parameters parameters = network.initial_parameters(1, *backend);
      Session session(network, parameters, backend);
      std::vector<Batch> batches{test::spelling_batch(7, 5, 1), test::spelling_batch(7, 5, 1),
                                 test::spelling_batch(3, 5, 2), test::spelling_batch(1, 1, 3),
                                 test::spelling_batch(7, 5, 1)};
      batches[1].lengths = {7, 0, 3, 1, 6};
      std::vector<State> states;
      for (const Batch& batch : batches)
        states.push_back(network.zero_state(batch.batch, *backend));
      const auto step = [&](std::size_t i) {
        session.begin_step(static_cast<std::int64_t>(i));
        session.zero_gradients();
        session.forward(batches[i], states[i]);
        session.backward();
      };
      if (reserve) session.reserve(batches[0]);
      if (!reserve) step(0);
      // What the first step takes beside the memory of layers and heads is lists of views.
      const std::size_t held = session.memory();
      step(0);
      EXPECT_EQ(session.memory(), held);
      for (std::size_t i = 1; i < batches.size(); ++i) {
        const long before = allocations;
        step(i);
        EXPECT_EQ(allocations - before, 0) << "batch " << i;
      }
    }
  }
}

TEST(GraphAllocations, AFailedReservationLeavesTheSessionAsItWas) {
  const auto backend = make_backend({});
  const Network network = test::spelling_network({});
  const Parameters parameters = network.initial_parameters(1, *backend);
  const Batch batch = test::spelling_batch(7, 5, 1);
  Batch wrong = batch;
  wrong.lengths = {7};
  const auto loss_after = [&](bool fails) {
    Session session(network, parameters, backend);
    if (fails) {
      EXPECT_THROW(session.reserve(wrong), ShapeError);
    }
    State state = network.zero_state(batch.batch, *backend);
    session.begin_step(0);
    return session.forward(batch, state).nats;
  };
  EXPECT_GT(loss_after(false), 0);
  EXPECT_EQ(loss_after(true), loss_after(false));
}

TEST_P(Allocations, NoneBetweenTheStepsOfFit) {
  /// Two kinds of batches from memory made beforehand.
  class Given : public BatchSource {
   public:
    bool next(Batch& batch) override {
      if (place_.batch == 12) return false;
      batch = place_.batch++ % 2 == 0 ? large_ : small_;
      return true;
    }
    void seek(const Position& position) override { place_ = position; }
    Position position() const override { return place_; }

   private:
    Batch large_ = test::random_batch(6, 4, 6, 1), small_ = test::random_batch(5, 3, 6, 2);
    Position place_{};
  };
  for (StatePolicy policy : {StatePolicy::kReset, StatePolicy::kCarry}) {
    Model model(test::toy_network({.cell = GetParam(), .dropout = 0.2f}));
    model.compile({.optimizer = Adam{}, .clip_norm = 1, .clip_value = 0.5f});
    Given data, validation;
    long before = 0, most = 0;
    OnStep watch([&](Model&, const StepRecord& record) {
      if (record.batch > 2) most = std::max(most, allocations - before);
      before = allocations;
    });
    model.fit(data,
              {.epochs = 2, .validation = &validation, .state = policy, .callbacks = {&watch}});
    EXPECT_EQ(most, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Cells, Allocations, ::testing::ValuesIn(test::kAllCells), test::cell_name);

}  // namespace
}  // namespace rnn
