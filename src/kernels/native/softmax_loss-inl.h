// What a softmax and its loss over tiles of the vocabulary keep from the forward for the backward
// pass, and how work on tiles and rows is divided.
//
// Forward, a tile of logits becomes exponentials while it is in the second-level cache, each over
// the largest logit of its row and tile; these are kept, and one factor a row and tile makes
// probabilities of them when the sums of all tiles are known. Backward, a tile of probabilities
// becomes one of gradients, and goes into the gradients of the features and of the weights at once.

#include "kernels/native/product-inl.h"
#include "kernels/native/softmax-inl.h"

#if defined(RNN_KERNELS_NATIVE_SOFTMAX_LOSS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RNN_KERNELS_NATIVE_SOFTMAX_LOSS_INL_H_
#undef RNN_KERNELS_NATIVE_SOFTMAX_LOSS_INL_H_
#else
#define RNN_KERNELS_NATIVE_SOFTMAX_LOSS_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace rnn::native {
namespace HWY_NAMESPACE {

/// Tile after tile [rows][size of the tile], then the factors [rows][tiles].
struct KeptTiles {
  float* values;
  float* factors;
  const VocabularyTiles& tiles;
  Index rows;

  float* row(Index tile, Index r) const {
    return values + tiles.first(tile) * rows + r * tiles.size(tile);
  }
  float* factors_of(Index r) const { return factors + r * tiles.count(); }
};

/// One member's part of tiles times rows: some of the tiles or, where these do not divide well,
/// some of the rows.
struct TileShare {
  Range tiles, rows;
};
inline TileShare share_of_work(Index tiles, Index rows, bool by_tiles, int member, int members) {
  if (by_tiles || parts_of(tiles, members) * rows * 20 <= tiles * parts_of(rows, members) * 21) {
    return {part_of(tiles, member, members), {0, rows}};
  }
  return {{0, tiles}, part_of(rows, member, members)};
}

}  // namespace HWY_NAMESPACE
}  // namespace rnn::native
HWY_AFTER_NAMESPACE();

#endif
