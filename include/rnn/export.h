// RNN_API marks what the shared library exports. Everything else is hidden, so that the symbols of
// ICU, SentencePiece and the rest never meet those of the program that embeds the library.
#pragma once

#define RNN_API __attribute__((visibility("default")))
