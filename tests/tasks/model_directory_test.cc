// The files of a model change together, wherever an update is cut off.
#include "tasks/model_directory.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include "base/file.h"
#include "rnn/error.h"
#include "rnn/model_file.h"
#include "support/temporary_folder.h"

namespace rnn {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNames[] = {"config.json", "model.safetensors", "history.csv"};

class Directory : public ::testing::Test {
 protected:
  Directory() { directory_.create(); }

  static void write(const std::string& path, const std::string& name, int version) {
    if (name == "model.safetensors") {
      TensorList tensors;
      tensors.add("x", Tensor(Shape{version}));
      return save_safetensors(path, tensors);
    }
    write_file(path,
               R"({"format": 1, "task": "test", "version": )" + std::to_string(version) + "}");
  }
  void update(int version) {
    ModelUpdate files(directory_, OtherFiles::kGo);
    for (const char* name : kNames) write(files.file(name), name, version);
    files.commit();
  }
  /// The version that each file is of, as a reader finds it.
  std::vector<int> versions() const {
    directory_.verify();
    std::vector<int> found;
    for (const char* name : {"config.json", "history.csv"}) {
      const std::string path = directory_.file(name);
      found.push_back(member<int>(parse_json(read_file(path), path), "version", path));
    }
    const SafetensorsContents model = load_safetensors(directory_.file("model.safetensors"));
    found.push_back(static_cast<int>(model.tensors[0].size()));
    return found;
  }

  test::TemporaryFolder folder_;
  const ModelDirectory directory_{folder_.file("m")};
};

TEST_F(Directory, EachFileHasOneChecksum) {
  update(1);
  const std::string sums = read_file(directory_.file("SHA256SUMS"));
  write_file(directory_.place("SHA256SUMS"), sums + sums.substr(0, sums.find('\n') + 1));
  try {
    directory_.verify();
    FAIL() << "accepted";
  } catch (const FormatError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("SHA256SUMS:4: config.json is there twice"), std::string::npos)
        << message;
  }
}

TEST_F(Directory, ItsDescriptionHasALargestSize) {
  update(1);
  ModelUpdate files(directory_, OtherFiles::kGo);
  const Json large{{"format", 1}, {"task", std::string(kLargestConfig, 'x')}};
  EXPECT_THROW(write_config(files, large), FormatError);
  EXPECT_EQ(versions(), std::vector<int>(3, 1));
  fs::resize_file(directory_.file("config.json"), kLargestConfig + 1);
  try {
    directory_.read_config("");
    FAIL() << "read";
  } catch (const FormatError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("config.json: larger than 67108864"), std::string::npos) << message;
  }
}

TEST_F(Directory, ReadsOneModelAtEveryMomentOfAnUpdate) {
  update(1);
  fs::copy(folder_.file("m"), folder_.file("old"), fs::copy_options::recursive);
  update(2);
  fs::copy(folder_.file("m"), folder_.file("new"), fs::copy_options::recursive);
  // Cut off before the checksums are there, and after so many files were moved.
  for (int moved = -1; moved <= 3; ++moved) {
    SCOPED_TRACE(moved);
    fs::remove_all(folder_.file("m"));
    fs::copy(folder_.file("old"), folder_.file("m"), fs::copy_options::recursive);
    for (int i = 0; i < 3; ++i) {
      const std::string name = kNames[i];
      fs::copy_file(folder_.file("new/" + name),
                    folder_.file("m/" + name) + (i < moved ? "" : ".new"),
                    fs::copy_options::overwrite_existing);
    }
    write_file(folder_.file("m/config.json.tmp-12345"), "half a fi");
    if (moved >= 0) {
      fs::copy_file(folder_.file("new/SHA256SUMS"), folder_.file("m/SHA256SUMS"),
                    fs::copy_options::overwrite_existing);
    }
    const int version = moved >= 0 ? 2 : 1;
    const std::vector<int> expected(3, version);
    EXPECT_EQ(versions(), expected);
    directory_.settle();
    EXPECT_EQ(versions(), expected);
    for (const auto& entry : fs::directory_iterator(folder_.file("m"))) {
      const std::string name = entry.path().filename().string();
      EXPECT_EQ(name.find(".new"), std::string::npos) << name;
      EXPECT_EQ(name.find(".tmp"), std::string::npos) << name;
    }
    update(3);
    EXPECT_EQ(versions(), std::vector<int>(3, 3));
  }
}

TEST_F(Directory, AnUpdateThatIsNotCommittedLeavesTheModel) {
  update(1);
  {
    ModelUpdate files(directory_, OtherFiles::kGo);
    write(files.file("config.json"), "config.json", 2);
  }
  EXPECT_EQ(versions(), std::vector<int>(3, 1));
  EXPECT_FALSE(fs::exists(folder_.file("m/config.json.new")));
}

TEST_F(Directory, IsOneProcessesToWrite) {
  const FolderLock lock(directory_.path());
  EXPECT_THROW(FolderLock(directory_.path()), IoError);  // another descriptor: as another process
}

TEST_F(Directory, AnUpdateOfSomeFilesDoesNotSealTheOthers) {
  update(1);
  const std::string weights = folder_.file("m/model.safetensors");
  std::string bytes = read_file(weights);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  std::ofstream(weights, std::ios::binary) << bytes;
  {
    ModelUpdate files(directory_, OtherFiles::kStay);
    write(files.file("history.csv"), "history.csv", 2);
    files.commit();
  }
  try {
    directory_.verify();
    ADD_FAILURE() << "the damaged weights became the sound ones";
  } catch (const FormatError& error) {
    EXPECT_NE(std::string(error.what()).find(weights + ": damaged"), std::string::npos)
        << error.what();
  }
  directory_.seal();
  EXPECT_EQ(versions(), (std::vector<int>{1, 2, 1}));
}

TEST_F(Directory, AWholeModelLeavesNothingOfTheOneBefore) {
  write_file(directory_.place("labels.txt"), "of another task");
  update(1);
  EXPECT_FALSE(is_there(directory_.place("labels.txt")));
  EXPECT_EQ(versions(), std::vector<int>(3, 1));
  EXPECT_EQ(directory_.files().size(), 3u);
}

TEST_F(Directory, IsNotSealedWhileAnotherProcessWrites) {
  update(1);
  const std::string half = directory_.place("model.safetensors") + ".new" + kTemporary + "1";
  write_file(half, "half a fi");
  {
    const FolderLock lock(directory_.path());
    EXPECT_THROW(directory_.seal(), IoError);
    EXPECT_TRUE(is_there(half));
  }
  directory_.seal();
  EXPECT_FALSE(is_there(half));
}

TEST_F(Directory, AFormatThatIsNoWholeNumberInRangeIsRefused) {
  for (const char* format : {"4294967297", "1.5", "true", "1e300", "-1"}) {
    write_file(directory_.place("config.json"),
               std::string(R"({"task": "test", "format": )") + format + "}");
    EXPECT_THROW(directory_.read_config("test"), FormatError) << format;
  }
}

TEST_F(Directory, AReaderAndACommitGiveOneModelOrTheOther) {
  update(1);
  const auto version_of = [](const ModelDirectory& model, const char* name) {
    const std::string path = model.file(name);
    return member<int>(parse_json(read_file(path), path), "version", path);
  };
  // A commit between two files, and one that makes what was read seem damaged.
  for (const bool fails : {false, true}) {
    int reads = 0;
    const auto found = read_whole_model(directory_.path(), [&](const ModelDirectory& model) {
      const int first = version_of(model, "config.json");
      if (++reads == 1) {
        update(2);
        if (fails) throw FormatError("these do not go together");
      }
      return std::pair(first, version_of(model, "history.csv"));
    });
    EXPECT_EQ(found, std::pair(2, 2));
    EXPECT_EQ(reads, 2);
    update(1);
  }
  // An error of the model itself is told at once.
  int reads = 0;
  EXPECT_THROW(read_whole_model(directory_.path(),
                                [&](const ModelDirectory&) -> int {
                                  ++reads;
                                  throw FormatError("this is no model");
                                }),
               FormatError);
  EXPECT_EQ(reads, 1);
  // Nobody waits for ever.
  int version = 2;
  EXPECT_THROW(read_whole_model(directory_.path(),
                                [&](const ModelDirectory&) {
                                  update(++version);
                                  return 0;
                                }),
               IoError);
}

TEST_F(Directory, ReadersBesideATrainingFindNoDamage) {
  update(1);
  std::atomic<bool> over = false;
  std::thread training([&] {
    for (int version = 2; version < 120; ++version) {
      update(version);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    over = true;
  });
  for (int reads = 0; !over; ++reads) {
    try {
      const std::vector<int> found =
          read_whole_model(directory_.path(), [&](const ModelDirectory&) { return versions(); });
      EXPECT_EQ(found, std::vector<int>(3, found[0])) << reads;
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find("took their places whenever"), std::string::npos) << message;
    }
  }
  training.join();
}

TEST_F(Directory, ManyFoldersAreMadeAndASlashAtTheEndIsNoName) {
  const ModelDirectory deep(folder_.file("a/b/c//"));
  EXPECT_EQ(deep.path(), folder_.file("a/b/c"));
  deep.create();
  EXPECT_TRUE(fs::is_directory(folder_.file("a/b/c/checkpoint")));
  deep.create();  // where all is there
  write_file(folder_.file("file"), "");
  EXPECT_THROW(ModelDirectory(folder_.file("file/m")).create(), IoError);
}

TEST_F(Directory, WhatCannotBeLookedIntoIsAnErrorOfOurs) {
  fs::create_symlink("loop", folder_.file("loop"));  // too many links: an error for root too
  for (const char* name : {"loop", "loop/m"}) {
    EXPECT_THROW(ModelDirectory(folder_.file(name)).require_ours(), IoError) << name;
    EXPECT_THROW(ModelDirectory(folder_.file(name)).verify(), IoError) << name;
  }
}

}  // namespace
}  // namespace rnn
