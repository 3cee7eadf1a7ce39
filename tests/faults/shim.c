/* Fault injection for file operations, preloaded before libc (LD_PRELOAD).
 *
 * Every call that changes a file below one of the watched folders has a number: 1, 2, 3, ... over all processes that
 * share the control block. At the number that the control block names, the process group is killed (before the call,
 * after it, or after half of a write), or the call fails with a chosen error, or a write comes out short. All calls are
 * logged. The calls themselves are raw system calls, so nothing in libc is needed but its `syscall`.
 *
 * C and Rust extensions (safetensors, duckdb, pyarrow) call the same symbols as Python; calls that go past libc are
 * caught by `trap_raw_calls`. Not seen: libc's own buffered streams (fopen, fwrite), which none of them uses.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OFF, COUNT, KILL_BEFORE, KILL_AFTER, KILL_TORN, FAIL, FAIL_FROM, SHORT };

/* Shared by all processes; injector.py has the same layout. */
struct control {
    int32_t mode;
    int32_t error;         /* errno of FAIL and FAIL_FROM */
    int64_t at;            /* number of the operation that the fault hits */
    int64_t count;         /* operations so far */
    int64_t hits;          /* faults delivered */
    int64_t log_used;      /* bytes */
    int32_t root;          /* process whose group is killed, beside the calling process */
    int32_t no_exchange;   /* renameat2 cannot exchange two names, as on NFS */
    int32_t no_folder_sync;/* fsync of a folder is unsupported, as on some network file systems */
    int32_t spare;
    char watched[2][1024]; /* folders whose files count */
    char pinned[1024];     /* a folder that is a mount point in a parent that cannot be written to */
    char log[];
};

enum { LOG_END = 4 << 20 };

static struct control *control;

static long (*raw)(long, ...) = syscall;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAULT_CONTROL");
    if (path == NULL) return;
    int file = (int)raw(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (file < 0) return;
    void *block = (void *)raw(SYS_mmap, NULL, LOG_END, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    raw(SYS_close, file);
    if (block != MAP_FAILED) control = block;
}

static int is_below(const char *path, const char *folder) {
    size_t length = strlen(folder);
    return length > 0 && strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0' ||
                                                                path[length] == ' ');
}

static int is_watched(const char *path) {
    return is_below(path, control->watched[0]) || is_below(path, control->watched[1]);
}

/* Write the name of an open file; empty for pipes, sockets and the like. */
static void name_of(int file, char *name) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    long n = raw(SYS_readlinkat, AT_FDCWD, link, name, PATH_MAX - 1);
    name[n > 0 ? n : 0] = '\0';
    if (name[0] != '/') name[0] = '\0';
}

/* Write the absolute path of a name relative to a folder. */
static void path_of(int folder, const char *relative, char *path) {
    if (relative == NULL || relative[0] == '/') {
        snprintf(path, PATH_MAX, "%s", relative == NULL ? "" : relative);
        return;
    }
    char base[PATH_MAX];
    if (folder == AT_FDCWD) {
        if (raw(SYS_getcwd, base, sizeof base) < 0) base[0] = '\0';
    } else {
        name_of(folder, base);
    }
    snprintf(path, PATH_MAX, "%.*s/%s", PATH_MAX / 2, base, relative);
}

static void note(int64_t number, const char *kind, const char *path, const char *other, long size, const char *fate) {
    char line[2 * PATH_MAX + 128];
    int n = snprintf(line, sizeof line, "%lld\t%s\t%s\t%s\t%ld\t%s\n", (long long)number, kind, path,
                     other == NULL ? "" : other, size, fate);
    int64_t room = LOG_END - (int64_t)sizeof(struct control);
    int64_t at = __atomic_fetch_add(&control->log_used, n, __ATOMIC_SEQ_CST);
    if (at + n < room) memcpy(control->log + at, line, (size_t)n);
}

static void die(void) {
    int root = control->root;
    if (root > 0) raw(SYS_kill, -root, SIGKILL);
    raw(SYS_kill, raw(SYS_getpid), SIGKILL);
    for (;;) pause();
}

/* Whether a full disk refuses this kind of call. */
static int takes_room(const char *kind) {
    static const char *const kinds[] = {"create", "write", "mkdir", "truncate", "link", "symlink", "copy", "allocate",
                                        "fsync"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kind, kinds[i]) == 0) return 1;
    return 0;
}

/* What becomes of a call. */
struct fate { int64_t number; int fails, after, torn, cut; };

static struct fate judge(const char *kind, const char *path, const char *other, long size) {
    struct fate fate = {0, 0, 0, 0, 0};
    if (control == NULL || control->mode == OFF) return fate;
    if (!is_watched(path) && !(other != NULL && is_watched(other))) {
        if (path[0] == '/') note(0, kind, path, other, size, "outside");
        return fate;
    }
    fate.number = __atomic_add_fetch(&control->count, 1, __ATOMIC_SEQ_CST);
    int here = fate.number == control->at;
    switch (control->mode) {
    case KILL_BEFORE:
        if (here) {
            note(fate.number, kind, path, other, size, "killed before");
            control->hits = 1;
            die();
        }
        break;
    case KILL_AFTER: fate.after = here; break;
    case KILL_TORN: fate.torn = here; break;
    case FAIL: fate.fails = here; break;
    case FAIL_FROM: /* a read-only disk refuses all but close, a full one what takes room */
        fate.fails = fate.number >= control->at && strcmp(kind, "close") != 0 &&
                     (control->error == EROFS || takes_room(kind));
        break;
    case SHORT: fate.cut = here; break;
    }
    if (fate.fails || fate.after || fate.torn || fate.cut) __atomic_add_fetch(&control->hits, 1, __ATOMIC_SEQ_CST);
    note(fate.number, kind, path, other, size, fate.fails ? "failed" : fate.after || fate.torn ? "killed after" :
         fate.cut ? "short" : "");
    return fate;
}

static long failed(void) {
    errno = control->error;
    return -1;
}

static long done(struct fate fate, long result) {
    if (fate.after) die();
    return result;
}

/* The mount point's parent takes nothing new and gives nothing away; returns an errno or 0. */
static int mount_refuses(const char *path) {
    if (control == NULL || control->mode == OFF || control->pinned[0] == '\0') return 0;
    const char *pinned = control->pinned;
    if (strcmp(path, pinned) == 0) return EBUSY;
    const char *slash = strrchr(pinned, '/');
    size_t parent = (size_t)(slash - pinned);
    if (strncmp(path, pinned, parent) == 0 && path[parent] == '/' && strchr(path + parent + 1, '/') == NULL)
        return EACCES;
    return 0;
}

static int crosses_mount(const char *from, const char *to) {
    const char *pinned = control->pinned;
    return control->mode != OFF && pinned[0] != '\0' && is_below(from, pinned) != is_below(to, pinned);
}

#define REFUSE_MOUNTED(path)                                                                                           \
    do {                                                                                                               \
        int refused = mount_refuses(path);                                                                             \
        if (refused) {                                                                                                 \
            errno = refused;                                                                                           \
            return -1;                                                                                                 \
        }                                                                                                              \
    } while (0)

static int opened(int folder, const char *name, int flags, mode_t mode) {
    int writes = (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
    if (control == NULL || !writes) return (int)raw(SYS_openat, folder, name, flags, mode);
    char path[PATH_MAX];
    path_of(folder, name, path);
    struct stat found;
    int exists = raw(SYS_newfstatat, folder, name, &found, 0) == 0;
    if (!exists && flags & O_CREAT) REFUSE_MOUNTED(path);
    struct fate fate = judge(exists && !(flags & O_TRUNC) ? "open" : "create", path, NULL, 0);
    if (fate.fails) return (int)failed();
    return (int)done(fate, raw(SYS_openat, folder, name, flags, mode));
}

#define MODE_ARGUMENT                                                                                                  \
    mode_t mode = 0;                                                                                                   \
    if (flags & (O_CREAT | __O_TMPFILE)) {                                                                             \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode = va_arg(rest, mode_t);                                                                                   \
        va_end(rest);                                                                                                  \
    }

int open(const char *name, int flags, ...) { MODE_ARGUMENT return opened(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE_ARGUMENT return opened(AT_FDCWD, name, flags, mode); }
int openat(int folder, const char *name, int flags, ...) { MODE_ARGUMENT return opened(folder, name, flags, mode); }
int openat64(int folder, const char *name, int flags, ...) { MODE_ARGUMENT return opened(folder, name, flags, mode); }
int creat(const char *name, mode_t mode) { return opened(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *name, mode_t mode) { return opened(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }

/* Fate of a call on an open file. */
static struct fate judge_file(const char *kind, int file, long size) {
    struct fate none = {0, 0, 0, 0, 0};
    if (control == NULL || control->mode == OFF) return none;
    char path[PATH_MAX];
    name_of(file, path);
    return path[0] == '\0' || (!is_watched(path) && strcmp(kind, "create") != 0) ? none : judge(kind, path, NULL, size);
}

ssize_t write(int file, const void *bytes, size_t n) {
    struct fate fate = judge_file("write", file, (long)n);
    if (fate.fails) return failed();
    if (fate.torn || fate.cut) {
        long written = raw(SYS_write, file, bytes, n > 1 ? n / 2 : n);
        if (fate.torn) die();
        return written;
    }
    return done(fate, raw(SYS_write, file, bytes, n));
}

static ssize_t written_at(int file, const void *bytes, size_t n, off_t at) {
    struct fate fate = judge_file("write", file, (long)n);
    if (fate.fails) return failed();
    if (fate.torn || fate.cut) {
        long written = raw(SYS_pwrite64, file, bytes, n > 1 ? n / 2 : n, at);
        if (fate.torn) die();
        return written;
    }
    return done(fate, raw(SYS_pwrite64, file, bytes, n, at));
}

ssize_t pwrite(int file, const void *bytes, size_t n, off_t at) { return written_at(file, bytes, n, at); }
ssize_t pwrite64(int file, const void *bytes, size_t n, off_t at) { return written_at(file, bytes, n, at); }

ssize_t writev(int file, const struct iovec *parts, int n) {
    long size = 0;
    for (int i = 0; i < n; i++) size += (long)parts[i].iov_len;
    struct fate fate = judge_file("write", file, size);
    if (fate.fails) return failed();
    if ((fate.torn || fate.cut) && n > 0) {
        size_t first = parts[0].iov_len;
        long written = raw(SYS_write, file, parts[0].iov_base, n == 1 && first > 1 ? first / 2 : first);
        if (fate.torn) die();
        return written;
    }
    return done(fate, raw(SYS_writev, file, parts, n));
}

#define ON_FILE(kind, file, call)                                                                                      \
    struct fate fate = judge_file(kind, file, 0);                                                                      \
    if (fate.fails) return (int)failed();                                                                              \
    return (int)done(fate, call)

static int is_folder(int file) {
    struct stat found;
    return fstat(file, &found) == 0 && S_ISDIR(found.st_mode);
}

static int synced(int file, long number) {
    struct fate fate = judge_file("fsync", file, 0);
    if (fate.fails) return (int)failed();
    if (control != NULL && control->mode != OFF && control->no_folder_sync && is_folder(file)) {
        errno = EINVAL;
        return (int)done(fate, -1);
    }
    return (int)done(fate, raw(number, file));
}

int fsync(int file) { return synced(file, SYS_fsync); }
int fdatasync(int file) { return synced(file, SYS_fdatasync); }
int ftruncate(int file, off_t n) { ON_FILE("truncate", file, raw(SYS_ftruncate, file, n)); }
int ftruncate64(int file, off_t n) { ON_FILE("truncate", file, raw(SYS_ftruncate, file, n)); }
int fallocate(int file, int mode, off_t at, off_t n) {
    ON_FILE("allocate", file, raw(SYS_fallocate, file, mode, at, n));
}
int fallocate64(int file, int mode, off_t at, off_t n) {
    ON_FILE("allocate", file, raw(SYS_fallocate, file, mode, at, n));
}
int posix_fallocate(int file, off_t at, off_t n) { return fallocate(file, 0, at, n) == 0 ? 0 : errno; }
int posix_fallocate64(int file, off_t at, off_t n) { return fallocate(file, 0, at, n) == 0 ? 0 : errno; }
int fchmod(int file, mode_t mode) { ON_FILE("chmod", file, raw(SYS_fchmod, file, mode)); }

int close(int file) {
    struct fate fate = {0, 0, 0, 0, 0};
    if (control != NULL && control->mode != OFF && (raw(SYS_fcntl, file, F_GETFL) & O_ACCMODE) != O_RDONLY)
        fate = judge_file("close", file, 0);
    long result = raw(SYS_close, file); /* a close that fails has closed all the same */
    if (fate.fails) return (int)failed();
    return (int)done(fate, result);
}

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t n, unsigned flags) {
    struct fate fate = judge_file("copy", to, (long)n);
    if (fate.fails) return failed();
    return done(fate, raw(SYS_copy_file_range, from, from_at, to, to_at, n, flags));
}

ssize_t sendfile(int to, int from, off_t *at, size_t n) {
    struct fate fate = judge_file("copy", to, (long)n);
    if (fate.fails) return failed();
    return done(fate, raw(SYS_sendfile, to, from, at, n));
}

ssize_t sendfile64(int to, int from, off64_t *at, size_t n) { return sendfile(to, from, at, n); }

static void *mapped(void *where, size_t n, int protection, int flags, int file, off_t at) {
    if (control != NULL && file >= 0 && flags & MAP_SHARED && protection & PROT_WRITE) {
        struct fate fate = judge_file("map", file, (long)n);
        if (fate.fails) {
            errno = ENOMEM;
            return MAP_FAILED;
        }
        return (void *)done(fate, raw(SYS_mmap, where, n, protection, flags, file, at));
    }
    return (void *)raw(SYS_mmap, where, n, protection, flags, file, at);
}

void *mmap(void *where, size_t n, int protection, int flags, int file, off_t at) {
    return mapped(where, n, protection, flags, file, at);
}
void *mmap64(void *where, size_t n, int protection, int flags, int file, off64_t at) {
    return mapped(where, n, protection, flags, file, at);
}

#define ON_NAME(kind, folder, name, call)                                                                              \
    if (control == NULL) return (int)(call);                                                                           \
    char path[PATH_MAX];                                                                                               \
    path_of(folder, name, path);                                                                                       \
    REFUSE_MOUNTED(path);                                                                                              \
    struct fate fate = judge(kind, path, NULL, 0);                                                                     \
    if (fate.fails) return (int)failed();                                                                              \
    return (int)done(fate, call)

int unlinkat(int folder, const char *name, int flags) {
    ON_NAME(flags & AT_REMOVEDIR ? "rmdir" : "unlink", folder, name, raw(SYS_unlinkat, folder, name, flags));
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }
int mkdirat(int folder, const char *name, mode_t mode) {
    ON_NAME("mkdir", folder, name, raw(SYS_mkdirat, folder, name, mode));
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }
int symlinkat(const char *target, int folder, const char *name) {
    ON_NAME("symlink", folder, name, raw(SYS_symlinkat, target, folder, name));
}
int symlink(const char *target, const char *name) { return symlinkat(target, AT_FDCWD, name); }

/* Neither changes what a folder holds, so a mount point allows it. */
int fchmodat(int folder, const char *name, mode_t mode, int flags) {
    (void)flags;
    if (control == NULL) return (int)raw(SYS_fchmodat, folder, name, mode);
    char path[PATH_MAX];
    path_of(folder, name, path);
    struct fate fate = judge("chmod", path, NULL, 0);
    if (fate.fails) return (int)failed();
    return (int)done(fate, raw(SYS_fchmodat, folder, name, mode));
}
int chmod(const char *name, mode_t mode) { return fchmodat(AT_FDCWD, name, mode, 0); }
int truncate(const char *name, off_t n) {
    if (control == NULL) return (int)raw(SYS_truncate, name, n);
    char path[PATH_MAX];
    path_of(AT_FDCWD, name, path);
    struct fate fate = judge("truncate", path, NULL, 0);
    if (fate.fails) return (int)failed();
    return (int)done(fate, raw(SYS_truncate, name, n));
}
int truncate64(const char *name, off_t n) { return truncate(name, n); }

static int renamed(const char *kind, int from_folder, const char *from, int to_folder, const char *to,
                   unsigned flags) {
    if (control == NULL) return (int)raw(SYS_renameat2, from_folder, from, to_folder, to, flags);
    char source[PATH_MAX], target[PATH_MAX];
    path_of(from_folder, from, source);
    path_of(to_folder, to, target);
    REFUSE_MOUNTED(source);
    REFUSE_MOUNTED(target);
    if (crosses_mount(source, target)) {
        errno = EXDEV;
        return -1;
    }
    if (flags != 0 && control->mode != OFF && control->no_exchange) {
        errno = EINVAL;
        return -1;
    }
    struct fate fate = judge(kind, source, target, 0);
    if (fate.fails) return (int)failed();
    return (int)done(fate, raw(SYS_renameat2, from_folder, from, to_folder, to, flags));
}

/* Whoever asks first whether the mount point's parent can be written to is told the same. */
int faccessat(int folder, const char *name, int mode, int flags) {
    if (control != NULL && control->mode != OFF && control->pinned[0] != '\0' && mode & W_OK) {
        char path[PATH_MAX];
        path_of(folder, name, path);
        size_t parent = (size_t)(strrchr(control->pinned, '/') - control->pinned);
        if (strlen(path) == parent && strncmp(path, control->pinned, parent) == 0) {
            errno = EACCES;
            return -1;
        }
    }
    return (int)raw(flags == 0 ? SYS_faccessat : SYS_faccessat2, folder, name, mode, flags);
}
int access(const char *name, int mode) { return faccessat(AT_FDCWD, name, mode, 0); }

int rename(const char *from, const char *to) { return renamed("rename", AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    return renamed("rename", from_folder, from, to_folder, to, 0);
}
int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    return renamed(flags == 2 ? "exchange" : "rename", from_folder, from, to_folder, to, flags);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    if (control == NULL) return (int)raw(SYS_linkat, from_folder, from, to_folder, to, flags);
    char source[PATH_MAX], target[PATH_MAX];
    path_of(from_folder, from, source);
    path_of(to_folder, to, target);
    REFUSE_MOUNTED(target);
    if (crosses_mount(source, target)) {
        errno = EXDEV;
        return -1;
    }
    struct fate fate = judge("link", source, target, 0);
    if (fate.fails) return (int)failed();
    return (int)done(fate, raw(SYS_linkat, from_folder, from, to_folder, to, flags));
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

/* Rust's rustix makes system calls by itself, past libc. Once this is called, such calls raise SIGSYS, and the handler
 * hands them to the functions above, whose own calls come from libc and pass. Returns 0, or -1 where that cannot be. */
#ifdef __x86_64__
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <ucontext.h>

static long handed_on(long number, const greg_t *r) {
    long a = r[REG_RDI], b = r[REG_RSI], c = r[REG_RDX], d = r[REG_R10], e = r[REG_R8];
    switch (number) {
    case SYS_open: return openat(AT_FDCWD, (char *)a, (int)b, (mode_t)c);
    case SYS_openat: return openat((int)a, (char *)b, (int)c, (mode_t)d);
    case SYS_write: return write((int)a, (void *)b, (size_t)c);
    case SYS_pwrite64: return pwrite((int)a, (void *)b, (size_t)c, d);
    case SYS_writev: return writev((int)a, (void *)b, (int)c);
    case SYS_fsync: return fsync((int)a);
    case SYS_fdatasync: return fdatasync((int)a);
    case SYS_ftruncate: return ftruncate((int)a, b);
    case SYS_fallocate: return fallocate((int)a, (int)b, c, d);
    case SYS_fchmod: return fchmod((int)a, (mode_t)b);
    case SYS_chmod: return chmod((char *)a, (mode_t)b);
    case SYS_close: return close((int)a);
    case SYS_rename: return rename((char *)a, (char *)b);
    case SYS_renameat: return renameat((int)a, (char *)b, (int)c, (char *)d);
    case SYS_renameat2: return renameat2((int)a, (char *)b, (int)c, (char *)d, (unsigned)e);
    case SYS_link: return link((char *)a, (char *)b);
    case SYS_linkat: return linkat((int)a, (char *)b, (int)c, (char *)d, (int)e);
    case SYS_symlink: return symlink((char *)a, (char *)b);
    case SYS_symlinkat: return symlinkat((char *)a, (int)b, (char *)c);
    case SYS_unlink: return unlink((char *)a);
    case SYS_unlinkat: return unlinkat((int)a, (char *)b, (int)c);
    case SYS_rmdir: return rmdir((char *)a);
    case SYS_mkdir: return mkdir((char *)a, (mode_t)b);
    case SYS_mkdirat: return mkdirat((int)a, (char *)b, (mode_t)c);
    case SYS_copy_file_range: return copy_file_range((int)a, (void *)b, (int)c, (void *)d, (size_t)e, 0);
    case SYS_sendfile: return sendfile((int)a, (int)b, (void *)c, (size_t)d);
    default: errno = ENOSYS; return -1;
    }
}

static void on_trap(int signal, siginfo_t *info, void *context) {
    (void)signal;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    int kept = errno;
    long result = handed_on(info->si_syscall, registers);
    registers[REG_RAX] = result == -1 ? -errno : result;
    errno = kept;
}

/* Find where libc's code is mapped. */
static int find_libc(uintptr_t *from, uintptr_t *to) {
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[4096];
    int found = 0;
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        unsigned long low, high;
        char rights[8];
        if (sscanf(line, "%lx-%lx %7s", &low, &high, rights) == 3 && rights[2] == 'x' && low <= (uintptr_t)raw &&
            (uintptr_t)raw < high) {
            *from = low;
            *to = high;
            found = 1;
        }
    }
    if (maps != NULL) fclose(maps);
    return found && (*from >> 32) == ((*to - 1) >> 32);
}

int trap_raw_calls(void) {
    static const long numbers[] = {
        SYS_open, SYS_openat, SYS_write, SYS_pwrite64, SYS_writev, SYS_fsync, SYS_fdatasync, SYS_ftruncate,
        SYS_fallocate, SYS_fchmod, SYS_chmod, SYS_close, SYS_rename, SYS_renameat, SYS_renameat2, SYS_link, SYS_linkat,
        SYS_symlink, SYS_symlinkat, SYS_unlink, SYS_unlinkat, SYS_rmdir, SYS_mkdir, SYS_mkdirat, SYS_copy_file_range,
        SYS_sendfile,
    };
    enum { N = sizeof numbers / sizeof *numbers };
    uintptr_t from, to;
    if (!find_libc(&from, &to)) return -1;
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER};
    if (sigaction(SIGSYS, &action, NULL) != 0) return -1;
    struct sock_filter code[N + 16];
    size_t n = 0;
    size_t at = offsetof(struct seccomp_data, instruction_pointer);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at + 4);
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(from >> 32), 0, 4);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at);
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)from, 0, 2);
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)(to - 1), 1, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < N; i++)
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)numbers[i], (uint8_t)(N - i), 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    struct sock_fprog program = {(unsigned short)n, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}
#else
int trap_raw_calls(void) { return -1; }
#endif
