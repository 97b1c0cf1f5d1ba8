// `rnn classify serve` over real sockets.
#include <sys/resource.h>

#include "apps/command.h"
#include "apps/http_client.h"
#include "support/notes.h"

namespace rnn::test {
namespace {

std::string get(const std::string& path, const std::string& more = "",
                const char* host = "localhost") {
  return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + more + "\r\n";
}
std::string post(const std::string& path, const std::string& body,
                 const std::string& type = "application/json") {
  return "POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1:80\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
Json body(const std::string& response) {
  return parse_json(response.substr(response.find("\r\n\r\n") + 4), "response");
}

class Serve : public Command {
 protected:
  Serve() {
    files.write("notes.tsv", as_lines(made_up_notes(60, 1)));
    files.write("examples.txt", "north and south\n<b>south</b>\n");
    must_run({"classify", "train", "--model", "m", "--train", "notes.tsv", "--arch", "bag",
              "--embedding", "8", "--buckets", "101", "--epochs", "1", "--threads", "1"});
  }

  /// Runs the server with more options while `visit` talks to it, then ends it with SIGTERM. Once
  /// it listens it may have so many open files.
  void serve(const Words& more, const std::function<void(int port)>& visit,
             rlim_t open_files = 1024) const {
    Words words{"classify", "serve", "--model",    served,
                "--port",   "0",     "--examples", "examples.txt"};
    words.insert(words.end(), more.begin(), more.end());
    const std::string output = files.write("url", "");
    const RunResult result =
        run(words, {.output = output, .meanwhile = [&](pid_t server) {
                      const int port = port_in(output);
                      const rlimit limit{open_files, open_files};
                      EXPECT_EQ(prlimit(server, RLIMIT_NOFILE, &limit, nullptr), 0);
                      visit(port);
                      kill(server, SIGTERM);
                    }});
    EXPECT_EQ(result.code, 0) << result.err;
  }
  std::string served = "m";

  static int port_in(const std::string& path) {
    for (int tries = 0; tries < 500; ++tries) {
      const std::string url = TextFiles::read(path);
      if (url.ends_with("/\n")) return std::stoi(url.substr(url.rfind(':') + 1));
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ADD_FAILURE() << "the server does not say where it is";
    return 1;
  }
};

TEST_F(Serve, AnswersWhatItIsAsked) {
  serve({}, [](int port) {
    Client client(port);  // one connection for all
    const std::string page = client.ask(get("/"));
    EXPECT_EQ(status(page), 200);
    const auto policy =
        page.find("Content-Security-Policy: default-src 'none'; connect-src 'self'");
    EXPECT_NE(policy, page.npos);
    const auto nonce = page.substr(page.find("'nonce-", policy) + 7, 16);
    EXPECT_NE(page.find("<script nonce=\"" + nonce + "\">"), page.npos);
    EXPECT_EQ(page.find("{{"), page.npos);
    EXPECT_EQ(page.find("http://", page.find("<html")), page.npos);  // nothing from outside
    EXPECT_EQ(page.find("https://", page.find("<html")), page.npos);
    EXPECT_EQ(page.find("innerHTML"), page.npos);

    const Json model = body(client.ask(get("/v1/model")));
    EXPECT_EQ(model["labels"], Json({"no", "none", "yes"}));
    EXPECT_EQ(model["examples"][1], "<b>south</b>");

    const Json answer = body(client.ask(post("/v1/predict", R"({"text":"north and south"})")));
    double sum = 0;
    for (const auto& [label, p] : answer["probabilities"].items()) sum += p.get<double>();
    EXPECT_NEAR(sum, 1, 1e-5);
    const Json both = body(client.ask(post("/v1/predict", R"({"texts":["","north and south"]})")));
    EXPECT_EQ(both["results"][1], answer);

    for (const char* method : {"integrated-gradients", "occlusion"}) {
      const std::string text = " north,\u00a0and \U0001F600 south\n";
      const Json why = body(client.ask(
          post("/v1/explain", Json{{"text", text}, {"label", "no"}, {"method", method}}.dump())));
      EXPECT_EQ(why["about"], "no");
      std::string joined;
      int units = 0;
      for (const Json& segment : why["segments"]) {
        joined += segment["text"].get<std::string>();
        units += segment.contains("contribution");
      }
      EXPECT_EQ(joined, text);
      EXPECT_EQ(units, 5);
    }
    EXPECT_EQ(body(client.ask(get("/healthz?x=1")))["status"], "ok");
    const std::string metrics = client.ask(get("/metrics"));
    EXPECT_NE(metrics.find("rnn_http_responses_total{status=\"2xx\"} 7"), metrics.npos) << metrics;
    EXPECT_NE(metrics.find("rnn_http_connections 1"), metrics.npos) << metrics;
    EXPECT_EQ(
        client.ask("HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").find("<html"),
        std::string::npos);
  });
}

TEST_F(Serve, ExplainsWholeCharactersWhateverTheUnits) {
  const auto segments = [&](const Words& units, const std::string& text) {
    Words words{"classify", "train", "--model",     "u",         "--train",   "notes.tsv",
                "--arch",   "bag",   "--embedding", "8",         "--buckets", "101",
                "--epochs", "1",     "--overwrite", "--threads", "1"};
    words.insert(words.end(), units.begin(), units.end());
    must_run(words);
    served = "u";
    std::string joined, pieces;
    const auto adds_up = [](const Json& why, const Json& parts) {
      double sum = why["remainder"].get<double>();
      for (const Json& part : parts) sum += part.value("contribution", 0.0);
      EXPECT_NEAR(sum, why["logit"].get<double>() - why["baseline"].get<double>(), 1e-6);
    };
    serve({}, [&](int port) {
      const Json why = body(Client(port).ask(post("/v1/explain", Json{{"text", text}}.dump())));
      for (const Json& segment : why["segments"]) {
        joined += segment["text"].get<std::string>();
        pieces += segment["text"].get<std::string>() + "|";
      }
      adds_up(why, why["segments"]);
    });
    EXPECT_EQ(joined, text);
    const Json why =
        must_run({"classify", "explain", "--model", "u", "--json"}, {.input = text + "\n"}).json();
    adds_up(why, why["units"]);
    std::string shown;
    for (const Json& unit : why["units"]) shown += unit["unit"].get<std::string>() + "|";
    EXPECT_EQ(shown, pieces);
    return pieces;
  };
  EXPECT_EQ(segments({"--unit", "byte"}, "café\U0001F600"), "c|a|f|é|\U0001F600|");
  EXPECT_EQ(segments({"--unit", "char", "--form", "nfkc"}, "ﬁx½"), "ﬁ|x|½|");
}

TEST_F(Serve, SaysInJsonWhatIsWrong) {
  serve({"--max-body", "2000"}, [](int port) {
    const auto refused = [&](const std::string& data, int expected) {
      Client client(port);
      const std::string response = client.ask(data);
      EXPECT_EQ(status(response), expected) << data.substr(0, 200);
      EXPECT_EQ(body(response)["error"]["status"], expected);
      EXPECT_FALSE(body(response)["error"]["message"].get<std::string>().empty());
    };
    refused(get("/nothing"), 404);
    refused(get("/v1/predict"), 405);
    refused(post("/", "{}"), 405);
    refused(post("/v1/predict", "{}", "text/plain"), 415);
    refused(post("/v1/predict", "{}", "application/jsonp"), 415);
    refused(post("/v1/predict", "{}", "text/plain; application/json"), 415);
    for (const char* type : {"Application/JSON", "application/json ; charset=utf-8"}) {
      const std::string request = post("/v1/predict", R"({"text":"x"})", type);
      EXPECT_EQ(status(Client(port).ask(request)), 200) << type;
    }
    refused(post("/v1/predict", "{"), 400);
    refused(post("/v1/predict", "[]"), 400);
    refused(post("/v1/predict", R"({"text":5})"), 400);
    refused(post("/v1/predict", "{\"text\":\"\xff\"}"), 400);
    refused(post("/v1/explain", R"({"text":"x","label":"nobody"})"), 400);
    refused(post("/v1/explain", R"({"text":"x","method":"magic"})"), 400);
    for (const char* host :
         {"evil.example", "127.evil.example", "127.0.0.1.evil.example:80", "127.0.0.1@evil.example",
          "localhost.evil.example", "128.0.0.1", "[::2]", "[::1].evil.example", ""}) {
      refused(get("/", "", host), 403);
    }
    for (const char* host :
         {"LocalHost", "localhost:8080", "127.0.0.1:80", "127.1.2.3", "[::1]", "[::1]:8080"}) {
      EXPECT_EQ(status(Client(port).ask(get("/healthz", "", host))), 200) << host;
    }
    refused("rubbish\r\n\r\n", 400);
    refused(get("/", "X: " + std::string(20000, 'x') + "\r\n"), 431);
    refused(post("/v1/predict", "{\"text\":\"" + std::string(2000, 'a') + "\"}"), 413);
    std::string chunked =
        "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
        "application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 300; ++i) chunked += "3e8\r\n" + std::string(1000, 'a') + "\r\n";
    refused(chunked, 413);
    // What stands around chunks has no limit in HTTP, and has one here.
    const std::string chunks = chunked.substr(0, chunked.find("\r\n\r\n") + 4);
    refused(chunks + "1;" + std::string(1 << 20, 'x'), 431);
    refused(chunks + "0\r\nX: " + std::string(1 << 20, 'x'), 431);
    std::string members = "{\"text\":\"x\"";
    for (int i = 0; i < 50; ++i) members += ",\"" + std::to_string(i) + "\":0";
    refused(post("/v1/predict", members + "}"), 400);
    EXPECT_EQ(status(Client(port).ask(get("/healthz"))), 200);  // it is well after all that
  });
}

TEST_F(Serve, LimitsAreOptions) {
  serve({"--max-header", "1000", "--max-texts", "2", "--linger-timeout", "0.2"}, [](int port) {
    Client client(port);
    EXPECT_EQ(status(client.ask(post("/v1/predict", R"({"texts":["x","y"]})"))), 200);
    const std::string many = client.ask(post("/v1/predict", R"({"texts":["x","y","z"]})"));
    EXPECT_EQ(status(many), 413);
    EXPECT_NE(many.find("at most 2 texts"), many.npos) << many;
    EXPECT_EQ(status(client.ask(get("/healthz", "X: " + std::string(800, 'x') + "\r\n"))), 200);
    EXPECT_EQ(status(client.ask(get("/healthz", "X: " + std::string(1000, 'x') + "\r\n"))), 431);
  });
  // More work than a thread gets through in this time waits behind the first.
  serve({"--wait-timeout", "0.1", "--threads", "1"}, [](int port) {
    std::string text;
    for (int i = 0; i < 200000; ++i) text += "north ";
    std::vector<std::unique_ptr<Client>> many;
    for (int i = 0; i < 20; ++i) {
      many.push_back(std::make_unique<Client>(port));
      many.back()->send(post("/v1/predict", "{\"text\":\"" + text + "\"}"));
    }
    int late = 0;
    for (const auto& client : many) {
      late += client->receive().find("waited too long") != std::string::npos;
    }
    EXPECT_GE(late, 1);
    EXPECT_LT(late, 20);
  });
  for (const char* option :
       {"--max-header", "--max-texts", "--wait-timeout", "--answer-timeout", "--linger-timeout"}) {
    refuses(2, {"classify", "serve", "--model", "m", option, "0"}, {option});
  }
}

TEST_F(Serve, IsNotHeldUpBySlowOrManyClients) {
  serve({"--timeout", "2", "--max-waiting", "1", "--threads", "1"}, [](int port) {
    std::vector<std::unique_ptr<Client>> slow, many;
    for (int i = 0; i < 40; ++i) {
      slow.push_back(std::make_unique<Client>(port));
      slow.back()->send("POST /v1/predict HTTP/1.1\r\nContent-Le");
    }
    EXPECT_EQ(status(Client(port).ask(post("/v1/predict", R"({"text":"x"})"))), 200);
    std::string text;
    for (int i = 0; i < 20000; ++i) text += "north ";
    const std::string request = post("/v1/predict", "{\"text\":\"" + text + "\"}");
    for (int i = 0; i < 8; ++i) {
      many.push_back(std::make_unique<Client>(port));
      many.back()->send(request);
    }
    int answered = 0, sent_away = 0;
    for (const auto& client : many) {
      const int code = status(client->receive());
      answered += code == 200;
      sent_away += code == 503;
    }
    EXPECT_GE(answered, 1);
    EXPECT_EQ(answered + sent_away, 8);
    for (const auto& client : slow) EXPECT_EQ(client->receive(), "");  // cut off in the end
  });
}

TEST_F(Serve, SlowClientsCannotTakeAllPlaces) {
  serve({"--max-connections", "4", "--timeout", "60"}, [](int port) {
    std::vector<std::unique_ptr<Client>> slow;
    for (int i = 0; i < 20; ++i) {
      slow.push_back(std::make_unique<Client>(port));
      slow.back()->send("POST /v1/predict HTTP/1.1\r\nContent-Le");
    }
    EXPECT_EQ(status(Client(port).ask(post("/v1/predict", R"({"text":"x"})"))), 200);
    EXPECT_EQ(slow.front()->receive(), "");  // it gave way
  });
}

TEST_F(Serve, SlowClientsCannotTakeAllOpenFiles) {
  const auto visit = [](int port) {
    std::vector<std::unique_ptr<Client>> slow;
    for (int i = 0; i < 40; ++i) {
      slow.push_back(std::make_unique<Client>(port));
      slow.back()->send("POST /v1/predict HTTP/1.1\r\nContent-Le");
    }
    EXPECT_EQ(status(Client(port).ask(get("/healthz"))), 200);
    EXPECT_EQ(slow.front()->receive(), "");  // it gave way
  };
  serve({"--timeout", "60"}, visit, 24);  // a dozen of them are the server's own
}

TEST_F(Serve, AnswersAClientThatHasNothingMoreToSay) {
  serve({}, [](int port) {
    Client client(port);
    client.send(post("/v1/predict", R"({"text":"x"})"));
    client.half_close();
    EXPECT_EQ(status(client.receive()), 200);
    EXPECT_EQ(client.receive(), "");
    Client broken(port);
    broken.send("POST /v1/predict HTTP/1.1\r\nContent-Le");
    broken.half_close();
    EXPECT_EQ(status(broken.receive()), 400);
  });
}

TEST_F(Serve, SaysWhenItCannotListen) {
  serve({}, [&](int port) {
    refuses(1, {"classify", "serve", "--model", "m", "--port", std::to_string(port)},
            {"port " + std::to_string(port), "--port"});
  });
  refuses(2, {"classify", "serve", "--model", "m", "--host", "example.org"}, {"IP address"});
  refuses(2, {"classify", "serve", "--model", "m", "--port", "70000"}, {"--port"});
}

TEST_F(Serve, ExplainPrintsWhatAddsUp) {
  const Json why = must_run({"classify", "explain", "--model", "m", "--json"},
                            {.input = "north and then south\n"})
                       .json();
  double sum = 0;
  for (const Json& unit : why["units"]) sum += unit["contribution"].get<double>();
  EXPECT_EQ(why["units"].size(), 4u);
  const double change = why["logit"].get<double>() - why["baseline"].get<double>();
  EXPECT_NEAR(sum, change, 0.01 * std::abs(change) + 1e-4);
  const RunResult plain = must_run({"classify", "explain", "--model", "m", "--label", "yes"},
                                   {.input = "north and zebra\n\n"});
  EXPECT_NE(plain.out.find("zebra\tOOV\n\n"), std::string::npos) << plain.out;
  refuses(2, {"classify", "explain", "--model", "m", "--label", "x"}, {"no label 'x'"});
}

}  // namespace
}  // namespace rnn::test
