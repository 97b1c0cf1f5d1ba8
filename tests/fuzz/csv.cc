// Any bytes as CSV and TSV: records or a TextError, and always the same number of fields.
#include "fuzz/memory_file.h"
#include "rnn/error.h"
#include "rnn/text/csv_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const rnn::MemoryFile file(data, size);
  for (const rnn::CsvOptions& options :
       {rnn::CsvOptions{}, rnn::CsvOptions{.separator = '\t', .quotes = false},
        rnn::CsvOptions{.policy = {.replace_invalid = true}}}) {
    try {
      rnn::CsvReader reader(file.path(), options);
      std::size_t fields = 0;
      while (reader.next()) {
        rnn::require(fields == 0 || reader.fields().size() == fields);
        fields = reader.fields().size();
      }
    } catch (const rnn::Error&) {
    }
  }
  return 0;
}
