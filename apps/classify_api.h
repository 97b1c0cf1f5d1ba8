// ClassifyApi: what `rnn classify serve` answers to which request.
//
//   GET  /             the page
//   GET  /v1/model     {"labels", "multi_label", "arch", "vocabulary", "examples"}
//   POST /v1/predict   {"text": S} -> {"label", "probability", "labels", "probabilities"}
//                      {"texts": [S, ...]} -> {"results": [the same, ...]}
//   POST /v1/explain   {"text": S, "label": S, "method": "integrated-gradients" | "occlusion"} ->
//                      {"about", "logit", "baseline", "remainder", "cut", "segments": [{"text",
//                      "contribution"}, ...]}; the segments joined are the text, those without a
//                      contribution were not read, and the others add up to logit - baseline -
//                      remainder; units that are parts of a character are one segment
//   GET  /healthz      {"status": "ok"}
//   GET  /metrics      counters in the text format of Prometheus
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/http_server.h"
#include "rnn/tasks/text_classifier.h"

namespace rnn {

struct ClassifyApiOptions {
  std::vector<std::string> examples{};  ///< texts that the page offers
  /// Requests must name the machine itself as their host, so that no page of another site reaches
  /// the server through a name that it lets point here.
  bool only_loopback = true;
  std::size_t most_texts = 1000;  ///< of one request
};

class ClassifyApi {
 public:
  /// `model` must live as long as this.
  ClassifyApi(const TextClassifier& model, ClassifyApiOptions options)
      : model_(model), options_(std::move(options)) {}

  /// Everything but the work of the model; `counters` are for /metrics.
  std::optional<HttpResponse> quick(const HttpRequest& request, const HttpCounters& counters) const;
  /// Whether an answer may take seconds.
  static bool is_long(const HttpRequest& request) { return request.path == "/v1/explain"; }
  /// POST /v1/predict and /v1/explain. From any number of threads at once. Throws
  /// HttpServer::Unwanted.
  HttpResponse work(const HttpRequest& request, const HttpServer::Wanted& wanted) const;

 private:
  HttpResponse page() const;
  HttpResponse model_description() const;

  const TextClassifier& model_;
  ClassifyApiOptions options_;
};

}  // namespace rnn
