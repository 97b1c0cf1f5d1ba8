// A library to be preloaded (LD_PRELOAD) that writes down, in order, what a process does to files
// below a folder, so that power_loss.py can tell what a loss of power would leave of it; and that
// ends the process, as a loss of power does, at any of these moments.
//
//   RNN_STRESS_ROOT   the folder
//   RNN_STRESS_LOG    where to write: one line an operation, "name arguments", data in
//                     hexadecimal
//   RNN_STRESS_OPS    the process ends before the operation of this number, counted from 0
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>

namespace {

struct Watched {
  std::string path;
};

std::mutex lock;
std::map<int, Watched>& descriptors() {
  static auto* const all = new std::map<int, Watched>;
  return *all;
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

std::string absolute(const char* path) {
  std::string text = path;
  if (!text.starts_with('/')) {
    char folder[4096];
    if (getcwd(folder, sizeof folder) != nullptr) text = std::string(folder) + "/" + text;
  }
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

bool is_below(const std::string& path) {
  static const char* const root = std::getenv("RNN_STRESS_ROOT");
  return root != nullptr && path.starts_with(std::string(root) + "/");
}

/// Before the operation is done: the lock is held until it is.
void note(const std::string& line) {
  static const int log = next<int(const char*, int, ...)>("open")(
      std::getenv("RNN_STRESS_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  static long left = std::atol(std::getenv("RNN_STRESS_OPS"));
  if (left-- == 0) kill(getpid(), SIGKILL);
  const std::string whole = line + "\n";
  if (next<ssize_t(int, const void*, size_t)>("write")(log, whole.data(), whole.size()) !=
      static_cast<ssize_t>(whole.size())) {
    abort();
  }
}

std::string hexadecimal(const void* data, size_t size) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < size; ++i) {
    const auto byte = static_cast<const unsigned char*>(data)[i];
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

int open_noted(const char* name, const char* path, int flags, mode_t mode) {
  const std::lock_guard guard(lock);
  const std::string whole = absolute(path);
  const bool below = is_below(whole) || (std::getenv("RNN_STRESS_ROOT") != nullptr &&
                                         whole == std::getenv("RNN_STRESS_ROOT"));
  if (below && (flags & (O_CREAT | O_TRUNC)) != 0) note("create " + whole);
  const int descriptor = next<int(const char*, int, ...)>(name)(path, flags, mode);
  if (below && descriptor >= 0) descriptors()[descriptor] = {whole};
  return descriptor;
}

int flush_noted(const char* name, int descriptor) {
  const std::lock_guard guard(lock);
  if (const auto found = descriptors().find(descriptor); found != descriptors().end()) {
    note("flush " + found->second.path);
  }
  return next<int(int)>(name)(descriptor);
}

}  // namespace

extern "C" {

#pragma GCC visibility push(default)

int open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0;
  va_end(list);
  return open_noted("open", path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0;
  va_end(list);
  return open_noted("open64", path, flags, mode);
}

int close(int descriptor) {
  const std::lock_guard guard(lock);
  descriptors().erase(descriptor);
  return next<int(int)>("close")(descriptor);
}

ssize_t write(int descriptor, const void* data, size_t size) {
  const std::lock_guard guard(lock);
  if (const auto found = descriptors().find(descriptor); found != descriptors().end()) {
    note("write " + found->second.path + " " + hexadecimal(data, size));
  }
  return next<ssize_t(int, const void*, size_t)>("write")(descriptor, data, size);
}

int fsync(int descriptor) { return flush_noted("fsync", descriptor); }
int fdatasync(int descriptor) { return flush_noted("fdatasync", descriptor); }

int rename(const char* from, const char* to) noexcept {
  const std::lock_guard guard(lock);
  const std::string source = absolute(from), target = absolute(to);
  // One that fails changes nothing.
  if (is_below(target) && access(from, F_OK) == 0) note("rename " + source + " " + target);
  for (auto& [descriptor, watched] : descriptors()) {
    if (watched.path == source) watched.path = target;
  }
  return next<int(const char*, const char*)>("rename")(from, to);
}

int unlink(const char* path) noexcept {
  const std::lock_guard guard(lock);
  if (is_below(absolute(path)) && access(path, F_OK) == 0) note("remove " + absolute(path));
  return next<int(const char*)>("unlink")(path);
}

int remove(const char* path) noexcept {
  const std::lock_guard guard(lock);
  struct stat status {};
  const bool file = stat(path, &status) == 0 && S_ISREG(status.st_mode);
  if (file && is_below(absolute(path))) note("remove " + absolute(path));
  return next<int(const char*)>("remove")(path);
}

int mkdir(const char* path, mode_t mode) noexcept {
  const std::lock_guard guard(lock);
  if (is_below(absolute(path)) && access(path, F_OK) != 0) note("folder " + absolute(path));
  return next<int(const char*, mode_t)>("mkdir")(path, mode);
}

#pragma GCC visibility pop

}  // extern "C"
