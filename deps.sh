#!/bin/sh
# Installs what a make target needs and what is not there yet, with the system's package manager: `make deps` calls it.

#         what is needed          apt-get              dnf                    pacman                apk                brew
deps() {  # to build and to test
    need  compiler                g++                  gcc-c++                gcc                   g++                -
    need  '<linux/close_range.h>' linux-libc-dev       kernel-headers         linux-api-headers     linux-headers      -
    need  curl                    curl                 curl                   curl                  curl               curl
    need  diff                    diffutils            diffutils              diffutils             diffutils          -
    need  python3                 python3              python3                python                python3            python
    need  '<Python.h>'            python3-dev          python3-devel          python                python3-dev        python
    need  '<pybind11/embed.h>'    pybind11-dev         pybind11-devel         pybind11              py3-pybind11-dev   pybind11
    need  socat                   socat                socat                  socat                 socat              socat
    need  '<doctest/doctest.h>'   doctest-dev          doctest-devel          doctest               doctest-dev        doctest
    need  '<vterm.h>'             libvterm-dev         libvterm-devel         libvterm              libvterm-dev       libvterm
    need  '<ncurses.h>'           libncurses-dev       ncurses-devel          ncurses               ncurses-dev        ncurses
    need  '<elfutils/libdwfl.h>'  libdw-dev            elfutils-devel         libelf                elfutils-dev       -
    need  entr                    entr                 entr                   entr                  entr               entr
    need  bwrap                   bubblewrap           bubblewrap             bubblewrap            bubblewrap         -
    need  prlimit                 util-linux           util-linux             util-linux            util-linux         -
    need  '<nlohmann/json.hpp>'   nlohmann-json3-dev   json-devel             nlohmann-json         nlohmann-json      nlohmann-json
}
deps_dev() {  # `make format`, `make lint`, and the second compiler of CI
    need  clang++                 clang                clang                  clang                 clang              llvm
    need  clang-format            clang-format         clang-tools-extra      clang                 clang-extra-tools  clang-format
    need  clang-tidy              clang-tidy           clang-tools-extra      clang                 clang-extra-tools  llvm
    need  debootstrap             debootstrap          debootstrap            debootstrap           debootstrap        -
}
deps_machines() {  # tests/other_machines; only Debian has these compilers with a C++ library
    need  aarch64-linux-gnu-g++   g++-aarch64-linux-gnu     -  -  -  -
    need  riscv64-linux-gnu-g++   g++-riscv64-linux-gnu     -  -  -  -
    need  s390x-linux-gnu-g++     g++-s390x-linux-gnu       -  -  -  -
    need  powerpc64le-linux-gnu-g++ g++-powerpc64le-linux-gnu -  -  -  -
    need  arm-linux-gnueabihf-g++ g++-arm-linux-gnueabihf   -  -  -  -
    need  qemu-s390x              qemu-user                 -  -  -  -
}
deps_docs() {  # `make test_docs`, `make site`
    need  ps                      procps               procps-ng              procps-ng             procps             -
    need  unshare                 util-linux           util-linux             util-linux            util-linux         -
    need  setpriv                 util-linux           util-linux             util-linux            setpriv            -
    need  chromium                chromium             chromium               chromium              chromium           -
    need  npm                     npm                  npm                    npm                   npm                node
    need  chromedriver            chromium-driver      chromedriver           chromium              chromium-chromedriver -
    need  python:selenium         python3-selenium     python3-selenium       python-selenium       py3-selenium       -
    need  python:pexpect          python3-pexpect      python3-pexpect        python-pexpect        py3-pexpect        -
    need  python:markdown_it      python3-markdown-it  python3-markdown-it-py python-markdown-it-py py3-markdown-it-py -
    need  python:pygments         python3-pygments     python3-pygments       python-pygments       py3-pygments       -
    need  font:zh                 fonts-noto-cjk       google-noto-sans-cjk-fonts noto-fonts-cjk    font-noto-cjk      -
}
deps_bench() {  # `make bench` compares with these servers, `make plots` draws
    need  ab                      apache2-utils        httpd-tools            apache                apache2-utils      -
    need  busybox                 busybox              busybox                busybox               busybox-extras     -
    need  mini_httpd              mini-httpd           mini_httpd             -                     mini_httpd         -
    need  uwsgi                   uwsgi                uwsgi                  uwsgi                 uwsgi              uwsgi
    need  uwsgi:python3           uwsgi-plugin-python3 uwsgi-plugin-python3   uwsgi-plugin-python   uwsgi-python3      -
    need  gunicorn                gunicorn             python3-gunicorn       gunicorn              py3-gunicorn       gunicorn
    need  gnuplot                 gnuplot-nox          gnuplot-minimal        gnuplot               gnuplot            gnuplot
}
deps_wsgi() {  # the frameworks that step_h is tested with
    need  python:flask            python3-flask        python3-flask          python-flask          py3-flask          -
    need  python:django           python3-django       python3-django         python-django         py3-django         -
    need  python:pyramid          python3-pyramid      python3-pyramid        python-pyramid        py3-pyramid        -
}

is_there() {
    case $1 in
        compiler) ${CXX:-g++} --version ;;
        uwsgi:*) uwsgi --need-plugin "${1#uwsgi:}" --version ;;
        python:*) "${PYTHON:-python3}" -c "import ${1#python:}" ;;
        font:*) fc-list ":lang=${1#font:}" | grep . ;;
        "<"*) printf '#include %s\n' "$1" | ${CXX:-g++} -std=c++20 $("${PYTHON:-python3}-config" --includes) -E -x c++ - ;;
        *) command -v "$1" ;;
    esac >/dev/null 2>&1
}

# Notes what is missing, and the package that brings it. `-`: this package manager has none. (Where it is brew, this is
# macOS, and what brew lacks is for Linux alone.)
need() {
    if is_there "$1"; then return; fi
    wanted=$1
    shift "$column"
    if [ "$1 $manager" = '- brew' ]; then return; fi
    missing="$missing, $wanted"
    if [ "$1" != - ]; then packages="$packages $1"; fi
}

case $1 in
    deps | deps_dev | deps_machines | deps_docs | deps_bench | deps_wsgi) ;;
    *) echo 'usage: deps.sh deps | deps_dev | deps_machines | deps_docs | deps_bench | deps_wsgi' >&2; exit 2 ;;
esac

# A package manager works for one at a time: this file is the lock. (macOS has no flock; brew has a lock of its own.)
if command -v flock >/dev/null; then exec 9<"$0" && flock 9; fi

column=0
for manager in apt-get dnf pacman apk brew none; do
    column=$((column + 1))
    if command -v "$manager" >/dev/null; then break; fi
done
[ "$manager" != none ] || column=1

missing=''
packages=''
"$1"
if [ -z "$missing" ]; then echo "$1: everything is there"; exit; fi
case $manager in
    apt-get) command="apt-get update && apt-get install -y -o DPkg::Lock::Timeout=300$packages" ;;
    dnf) command="dnf install -y$packages" ;;
    pacman) command="pacman -Sy --needed --noconfirm$packages" ;;
    apk) command="apk add$packages" ;;
    brew) command="brew install$packages" ;;
    none) packages='' ;;
esac
if [ -z "$packages" ]; then echo "$1: install by hand, as no package manager here has it: ${missing#, }" >&2; exit 1; fi

sudo='sudo '
if [ "$(id -u)" = 0 ] || [ "$manager" = brew ]; then sudo=''; fi
echo "$1: $sudo$command"
${sudo}sh -c "export DEBIAN_FRONTEND=noninteractive; $command" || exit

missing=''
"$1"
if [ -n "$missing" ]; then echo "$1: still not there: ${missing#, }"; fi
