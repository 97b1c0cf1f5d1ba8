# Writes a C++ source with the bytes of a file as a string view: HTML, NAME and OUTPUT are given.
# In pieces, because a literal has a largest length.
file(READ "${HTML}" hex HEX)
string(LENGTH "${hex}" digits)
string(REGEX MATCHALL "([0-9a-f][0-9a-f])" bytes "${hex}")
list(TRANSFORM bytes PREPEND "0x")
list(JOIN bytes "," numbers)
math(EXPR size "${digits} / 2")
file(WRITE "${OUTPUT}" "// Generated from ${HTML}\n#include \"apps/classify_page.h\"\n
namespace rnn {
namespace {
constexpr unsigned char kBytes[] = {${numbers}};
}
const std::string_view ${NAME}(reinterpret_cast<const char*>(kBytes), ${size});
}  // namespace rnn\n")
