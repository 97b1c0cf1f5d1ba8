#include "apps/classify_api.h"

#include <algorithm>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/beast/core/string.hpp>
#include <random>
#include <span>

#include "apps/classify_page.h"
#include "apps/explained_pieces.h"
#include "base/json.h"
#include "base/number.h"
#include "rnn/error.h"

namespace rnn {
namespace {

/// Of an object of a request: several times what any request has.
constexpr std::size_t kMostMembers = 16;
/// Between them a request may be given up.
constexpr std::size_t kTextsTogether = 32;

HttpResponse json_response(const Json& json) {
  return {.body = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"};
}

/// A number that no page of another site knows, for the policy that lets only our script run.
std::string nonce() {
  std::random_device random;
  std::string text;
  for (int i = 0; i < 16; ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[random() % 16];
  }
  return text;
}

/// Of the value of a Content-Type field: names of types have no case, and parameters may follow.
bool is_json(std::string_view type) {
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
  return boost::beast::iequals({type.data(), type.size()}, "application/json");
}

/// Of the value of a Host field, with or without a port.
bool is_loopback_name(std::string host) {
  if (const auto colon = host.rfind(':');
      colon != host.npos && host.find(']', colon) == host.npos) {
    host.resize(colon);
  }
  if (boost::beast::iequals(host, "localhost") || host == "[::1]") return true;
  // Not by how it begins: 127.0.0.1.example.org is a name that may point anywhere.
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address_v4(host, error);
  return !error && address.is_loopback();
}

Json prediction_json(const TextClassifier& model, const Classification& answer) {
  Json probabilities = Json::object(), labels = Json::array();
  // Labels are there once: no need to look for each among those before it.
  auto& of_label = probabilities.get_ref<Json::object_t&>();
  for (std::size_t i = 0; i < answer.probabilities.size(); ++i) {
    of_label.emplace_back(model.labels()[i], answer.probabilities[i]);
  }
  for (std::int32_t label : model.chosen(answer)) {
    labels.push_back(model.labels()[static_cast<std::size_t>(label)]);
  }
  const auto best = static_cast<std::size_t>(answer.label);
  return {{"label", model.labels()[best]},
          {"probability", answer.probabilities[best]},
          {"labels", labels},
          {"probabilities", probabilities}};
}

void require_wanted(const HttpServer::Wanted& wanted) {
  if (!wanted()) throw HttpServer::Unwanted();
}

HttpResponse predict(const TextClassifier& model, const Json& request, std::size_t most_texts,
                     const HttpServer::Wanted& wanted) {
  if (request.contains("texts")) {
    const auto texts = member<std::vector<std::string>>(request, "texts", "request");
    if (texts.size() > most_texts) {
      return http_error(413, "at most " + std::to_string(most_texts) + " texts a request");
    }
    Json results = Json::array();
    for (std::span<const std::string> rest = texts; !rest.empty();) {
      require_wanted(wanted);
      const auto now = rest.first(std::min(rest.size(), kTextsTogether));
      for (const Classification& answer : model.predict(now)) {
        results.push_back(prediction_json(model, answer));
      }
      rest = rest.subspan(now.size());
    }
    return json_response({{"results", results}});
  }
  const auto text = member<std::string>(request, "text", "request");
  return json_response(prediction_json(model, model.predict(text)));
}

/// The whole text in pieces: those with contributions, and what lies between them.
Json segments_of(const std::string& text, const Explanation& explanation) {
  Json segments = Json::array();
  std::size_t place = 0;
  const auto between = [&](std::size_t to) {
    if (to > place) segments.push_back({{"text", text.substr(place, to - place)}});
  };
  for (const ExplainedPiece& piece : explained_pieces(text, explanation.units)) {
    between(piece.begin);
    segments.push_back({{"text", text.substr(piece.begin, piece.end - piece.begin)},
                        {"contribution", piece.contribution}});
    place = piece.end;
  }
  between(text.size());
  return segments;
}

HttpResponse explain(const TextClassifier& model, const Json& request,
                     const HttpServer::Wanted& wanted) {
  const auto text = member<std::string>(request, "text", "request");
  ExplainOptions options{.between = [&] { require_wanted(wanted); }};
  if (request.contains("label")) {
    const auto label = member<std::string>(request, "label", "request");
    const auto found = std::find(model.labels().begin(), model.labels().end(), label);
    if (found == model.labels().end()) return http_error(400, "there is no such label");
    options.label = static_cast<std::int32_t>(found - model.labels().begin());
  }
  if (request.contains("method")) {
    options.method = explain_method(member<std::string>(request, "method", "request"));
  }
  const Explanation why = model.explain(text, options);
  return json_response({{"about", model.labels()[static_cast<std::size_t>(why.label)]},
                        {"logit", why.logit},
                        {"baseline", why.baseline},
                        {"remainder", why.remainder},
                        {"cut", why.cut},
                        {"segments", segments_of(text, why)}});
}

HttpResponse metrics(const HttpCounters& counters) {
  std::string text;
  const auto add = [&](const char* name, const char* type, std::int64_t value) {
    text += "# TYPE " + std::string(name) + " " + type + "\n" + name + " " + std::to_string(value) +
            "\n";
  };
  add("rnn_http_connections", "gauge", counters.connections);
  add("rnn_http_requests_waiting", "gauge", counters.waiting);
  text += "# TYPE rnn_http_responses_total counter\n";
  for (const auto& [name, count] :
       {std::pair("2xx", counters.ok.load()), std::pair("4xx", counters.refused.load()),
        std::pair("5xx", counters.failed.load())}) {
    text += "rnn_http_responses_total{status=\"" + std::string(name) + "\"} " +
            std::to_string(count) + "\n";
  }
  text += "# TYPE rnn_http_answer_seconds_total counter\nrnn_http_answer_seconds_total " +
          to_fixed(static_cast<double>(counters.microseconds) * 1e-6, 6) + "\n";
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = text};
}

}  // namespace

HttpResponse ClassifyApi::page() const {
  constexpr std::string_view kPlace = "{{nonce}}";
  const std::string once = nonce();
  std::string html(kClassifyPage);
  for (auto at = html.find(kPlace); at != html.npos; at = html.find(kPlace, at)) {
    html.replace(at, kPlace.size(), once);
  }
  const std::string policy = "default-src 'none'; connect-src 'self'; script-src 'nonce-" + once +
                             "'; style-src 'nonce-" + once +
                             "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
  return {.content_type = "text/html; charset=utf-8",
          .body = std::move(html),
          .headers = {{"Content-Security-Policy", policy}, {"Referrer-Policy", "no-referrer"}}};
}

HttpResponse ClassifyApi::model_description() const {
  return json_response({{"labels", model_.labels()},
                        {"multi_label", model_.multi_label()},
                        {"arch", model_.recipe().network.empty() ? model_.recipe().arch : "given"},
                        {"vocabulary", model_.vocabulary().size()},
                        {"examples", options_.examples}});
}

std::optional<HttpResponse> ClassifyApi::quick(const HttpRequest& request,
                                               const HttpCounters& counters) const {
  if (options_.only_loopback && !is_loopback_name(request.host)) {
    return http_error(403, "this server answers to localhost only");
  }
  const std::string& path = request.path;
  const bool posts = path == "/v1/predict" || path == "/v1/explain";
  const bool gets = path == "/" || path == "/v1/model" || path == "/healthz" || path == "/metrics";
  if (!posts && !gets) return http_error(404, "there is nothing here; see GET /");
  const bool fits =
      posts ? request.method == "POST" : request.method == "GET" || request.method == "HEAD";
  if (!fits) {
    HttpResponse error = http_error(405, "expected " + std::string(posts ? "POST" : "GET"));
    error.headers.emplace_back("Allow", posts ? "POST" : "GET, HEAD");
    return error;
  }
  if (posts) {
    // Not what a form of another site can send without asking first.
    if (!is_json(request.content_type)) {
      return http_error(415, "expected Content-Type: application/json");
    }
    return std::nullopt;
  }
  if (path == "/v1/model") return model_description();
  if (path == "/healthz") return json_response({{"status", "ok"}});
  if (path == "/metrics") return metrics(counters);
  return page();
}

HttpResponse ClassifyApi::work(const HttpRequest& request, const HttpServer::Wanted& wanted) const {
  try {
    const Json json = parse_json(request.body, "request", kMostMembers);
    if (!json.is_object()) return http_error(400, "request: expected a JSON object");
    return request.path == "/v1/explain" ? explain(model_, json, wanted)
                                         : predict(model_, json, options_.most_texts, wanted);
  } catch (const FormatError& error) {
    return http_error(400, error.what());
  } catch (const ConfigError& error) {
    return http_error(400, error.what());
  }
}

}  // namespace rnn
