// Backend: where the arithmetic happens.
#pragma once

#include <functional>
#include <memory>
#include <memory_resource>
#include <string>
#include <string_view>

#include "rnn/export.h"
#include "rnn/kernels.h"
#include "rnn/loss_kernels.h"
#include "rnn/precision.h"
#include "rnn/sequence_kernels.h"
#include "rnn/thread_pool.h"

namespace rnn {

/// How a backend would run a recurrent layer, and why: printed by summary(), never chosen silently.
struct KernelPath {
  std::string path{};    ///< such as "reference" or "native/AVX3"
  std::string reason{};  ///< empty, or why nothing faster
};

/// The kernels at the granularity of a whole sequence or tensor.
///
/// Each is a pure function of its arguments; the structs in kernels.h are their documentation.
/// Shapes are checked by the caller (a layer), so kernels are noexcept. A backend is immutable and
/// may be used from several threads at once. The reference backend is the specification and the
/// oracle; others agree with it to a stated tolerance.
template <class T>
class BasicBackend {
 public:
  virtual ~BasicBackend() = default;

  virtual std::string_view name() const noexcept = 0;
  virtual int threads() const noexcept { return 1; }
  virtual Precision precision() const noexcept { return Precision::kFp32; }
  /// Where tensors for this backend live.
  virtual std::pmr::memory_resource* memory() const noexcept {
    return std::pmr::get_default_resource();
  }
  virtual KernelPath supports(const RecurrentForward<T>& args) const = 0;
  /// Calls `work(part)` for part = 0 .. parts-1 on the backend's threads, as ThreadPool::run does:
  /// part i on thread i modulo their number. Kernels may be called from within; while the threads
  /// are at work each runs on the thread that calls it. `work` must not throw. By default the parts
  /// are done one after the other.
  virtual void run_parts(int parts, const std::function<void(int part)>& work) const {
    for (int part = 0; part < parts; ++part) work(part);
  }

  /// Bytes of scratch the kernel wants for such arguments; only shapes are looked at.
  virtual std::size_t scratch_bytes(const RecurrentForward<T>&) const { return 0; }
  virtual std::size_t scratch_bytes(const RecurrentBackward<T>&) const { return 0; }
  virtual std::size_t scratch_bytes(const DenseForward<T>&) const { return 0; }
  virtual std::size_t scratch_bytes(const DenseBackward<T>&) const { return 0; }
  virtual std::size_t scratch_bytes(const SoftmaxLossForward<T>& args) const {
    return scratch_bytes(dense_of(args));
  }
  virtual std::size_t scratch_bytes(const SoftmaxLossBackward<T>& args) const {
    return scratch_bytes(dense_of(args));
  }
  /// Numbers that a softmax loss leaves to its backward pass: here logits and normalizers.
  virtual Index kept_floats(const SoftmaxLossForward<T>& args) const {
    return args.targets.size() * (args.classes() + 1);
  }

  virtual void recurrent_forward(const RecurrentForward<T>&) const noexcept = 0;
  virtual void recurrent_backward(const RecurrentBackward<T>&) const noexcept = 0;
  virtual void dense_forward(const DenseForward<T>&) const noexcept = 0;
  virtual void dense_backward(const DenseBackward<T>&) const noexcept = 0;
  virtual void embedding_forward(const EmbeddingForward<T>&) const noexcept = 0;
  virtual void embedding_backward(const EmbeddingBackward<T>&) const noexcept = 0;
  virtual void dropout(const DropoutForward<T>&) const noexcept = 0;
  virtual void activation_forward(const ActivationForward<T>&) const noexcept = 0;
  virtual void activation_backward(const ActivationBackward<T>&) const noexcept = 0;
  virtual void cross_entropy_forward(const CrossEntropyForward<T>&) const noexcept = 0;
  virtual void cross_entropy_backward(const CrossEntropyBackward<T>&) const noexcept = 0;
  virtual void softmax(const SoftmaxForward<T>&) const noexcept = 0;
  virtual void softmax_loss_forward(const SoftmaxLossForward<T>& args) const noexcept {
    dense_forward(dense_of(args));
    cross_entropy_forward(cross_entropy_of(args));
  }
  virtual void softmax_loss_backward(const SoftmaxLossBackward<T>& args) const noexcept {
    cross_entropy_backward(cross_entropy_of(args));
    dense_backward(dense_of(args));
  }
  virtual void merge_forward(const MergeForward<T>&) const noexcept = 0;
  virtual void merge_backward(const MergeBackward<T>&) const noexcept = 0;
  virtual void window_forward(const WindowForward<T>&) const noexcept = 0;
  virtual void window_backward(const WindowBackward<T>&) const noexcept = 0;
  virtual void pool_forward(const PoolForward<T>&) const noexcept = 0;
  virtual void pool_backward(const PoolBackward<T>&) const noexcept = 0;
  virtual void layer_norm_forward(const LayerNormForward<T>&) const noexcept = 0;
  virtual void layer_norm_backward(const LayerNormBackward<T>&) const noexcept = 0;
  virtual void activity_gradient(const ActivityGradient<T>&) const noexcept = 0;
  virtual void binary_cross_entropy_forward(const BinaryCrossEntropyForward<T>&) const noexcept = 0;
  virtual void binary_cross_entropy_backward(
      const BinaryCrossEntropyBackward<T>&) const noexcept = 0;
  virtual void crf_forward(const CrfForward<T>&) const noexcept = 0;
  virtual void crf_backward(const CrfBackward<T>&) const noexcept = 0;
  virtual void sgd_step(const SgdStep<T>&) const noexcept = 0;
  virtual void rmsprop_step(const RmspropStep<T>&) const noexcept = 0;
  virtual void adam_step(const AdamStep<T>&) const noexcept = 0;
  /// Sum of squares in double precision; not finite if an element is not.
  virtual double sum_of_squares(View<const T> x) const noexcept = 0;
  /// Every element set to `value`.
  virtual void fill(View<T> x, T value) const noexcept {
    for (Index i = 0; i < x.size(); ++i) x[i] = value;
  }
  /// Each element moved into [-limit, limit].
  virtual void clip(View<T> x, float limit) const noexcept = 0;
};

using Backend = BasicBackend<float>;

struct BackendOptions {
  /// "reference", "native", or empty for the fastest that this build has (RNN_BACKEND overrides
  /// the empty choice).
  std::string name{};
  ThreadPoolOptions threads{};
  Precision precision = Precision::kFp32;
};

/// Throws ConfigError when the name is unknown, or when that backend does not compute in that
/// precision: it is never changed silently.
RNN_API std::shared_ptr<const Backend> make_backend(const BackendOptions& options = {});

}  // namespace rnn
