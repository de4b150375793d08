#!/bin/sh
# Holds the rules of docs/design.md that a reader can check by looking. Usage: check.sh RULE SOURCE-FOLDER [FILE...]
# Prints each place that breaks the rule; exit status 1 when there is one.
# shellcheck disable=SC2129 # each check appends what it finds
set -u
rule=$1
root=$2
shift 2
cd "$root" || exit 2

# Each folder of src/ may include itself and those before it; the program includes only the public headers.
folders="base json device graph ops emit nest engines plan compile tune nn data formats train job report bench"

found=$(mktemp)
trap 'rm -f "$found"' EXIT

# The code of C files without comments and the insides of strings, as FILE:LINE:CODE.
code() {
    awk '
        FNR == 1 { comment = 0 }
        {
            line = $0; out = ""
            while (line != "") {
                if (comment) {
                    end = index(line, "*/")
                    if (!end) break
                    line = substr(line, end + 2); comment = 0
                } else if (match(line, /^[^"\047\/]+/)) {
                    out = out substr(line, 1, RLENGTH); line = substr(line, RLENGTH + 1)
                } else if (substr(line, 1, 2) == "//") {
                    break
                } else if (substr(line, 1, 2) == "/*") {
                    comment = 1; line = substr(line, 3)
                } else if (match(line, /^"([^"\\]|\\.)*"/) || match(line, /^\047([^\047\\]|\\.)+\047/)) {
                    out = out "\"\""; line = substr(line, RLENGTH + 1)
                } else {
                    out = out substr(line, 1, 1); line = substr(line, 2)
                }
            }
            if (out ~ /[^ \t]/) print FILENAME ":" FNR ":" out
        }' "$@"
}

sources_of() { # sources_of FOLDER...
    find "$@" -name '*.[ch]' | sort
}

# forbid PATTERN WHY FILE...: an extended regular expression that must not occur in the code.
forbid() {
    pattern=$1
    why=$2
    shift 2
    [ $# -eq 0 ] || code "$@" | grep -E "^[^:]*:[0-9]*:(.*[^A-Za-z0-9_])?($pattern)" | sed "s|\$|    <- $why|" >>"$found"
}

check_includes() {
    for folder in $folders cli; do
        allowed=$folder
        if [ "$folder" != cli ]; then
            allowed=$(for one in $folders; do printf '%s ' "$one"; [ "$one" = "$folder" ] && break; done)
        fi
        find "src/$folder" -name '*.[ch]' -exec grep -nH '^ *# *include *"' {} + |
            awk -v allowed="$allowed" -v folder="$folder" -F'"' '
                BEGIN { count = split(allowed, names, " "); for (i = 1; i <= count; i++) ok[names[i]] = 1 }
                { split($2, part, "/"); if (!(part[1] in ok)) print $0 "    <- " folder " stands above it" }' >>"$found"
    done
    grep -nE '^ *# *include' include/mica/*.h include/mica/*/*.h |
        grep -vE '<(mica/[a-z_/]+|stdbool|stddef|stdint)\.h>' | grep -v '^include/mica/mica_cl.h:.*<CL/cl.h>' |
        sed 's/$/    <- not for a public header/' >>"$found"
    find examples -name '*.c' -exec grep -nHE '^ *# *include *"' {} + |
        sed 's/$/    <- an example uses only the public headers/' >>"$found"
    grep -rnE '^ *# *include *<clblast' src | grep -v '^src/engines/clblast/clblast\.c:' |
        sed 's/$/    <- only src\/engines\/clblast\/clblast.c knows CLBlast/' >>"$found"
}

check_calls() {
    library=$(sources_of src | grep -v '^src/cli/')
    # shellcheck disable=SC2046,SC2086 # file names of ours hold no blanks
    {
        forbid '(printf|puts|putchar|perror|scanf|gets|getchar) *\(|(stdin|stdout|stderr)([^A-Za-z0-9_]|$)' \
            'the library neither prints nor reads standard input' $library
        forbid '(exit|_Exit|quick_exit|abort|assert) *\(' 'the library never ends the process' $library
        forbid '(signal *\([^,]*, *[^S ]|(sigaction|atexit|on_exit) *\()' 'the library installs no handler' $library
        forbid 'cl[A-Z][A-Za-z0-9]+ *\(' 'only src/device calls OpenCL' \
            $(echo "$library" | grep -v -e '^src/device/')
        forbid '(strcpy|strcat|sprintf|vsprintf|gets|strtok|alloca|atoi|atof|rand|srand|setlocale) *\(' \
            'unsafe or dependent on global state' $(sources_of src)
        forbid '(v?s?n?printf|strto(d|f|ld)|cJSON_(Print|Parse)[A-Za-z]*|cJSON_(Get|Has)ObjectItem) *\(' \
            'depends on the locale: base.h has mi_format and others' $(echo "$library" | grep -v '^src/base/locale\.c$')
        forbid '(is(alnum|alpha|digit|xdigit|space|upper|lower|print|punct|cntrl|graph|blank)|to(upper|lower)) *\(' \
            'depends on the locale: base.h has mi_is_digit and others' $(sources_of src)
        forbid '(strerror(_r)?|strn?casecmp|strcoll|strxfrm|sscanf|fscanf|wcs[a-z]+|mbs[a-z]+) *\(' 'depends on the locale' $(sources_of src)
    }
}

check_files() {
    for file in $(sources_of src include tests examples) $(find kernels -name '*.cl'); do
        awk -v file="$file" '
            length($0) > 132 && file !~ /^tests/ { print file ":" FNR ": " length($0) " columns, at most 132" }
            /[ \t]$/ { print file ":" FNR ": blank at the end of the line" }
            /\t/ { print file ":" FNR ": tab" }
            /TODO|FIXME/ { print file ":" FNR ": unfinished: " $0 }
            END { if (FNR > 700) print file ": " FNR " lines, at most 700" }' "$file" >>"$found"
    done
    for folder in $folders cli; do
        [ -d "src/$folder" ] || echo "src/$folder: no such folder" >>"$found"
    done
    for folder in src/*/; do
        case " $folders cli " in *" $(basename "$folder") "*) ;; *) echo "$folder: not in the order of folders" >>"$found" ;; esac
    done
}

# Files that comments and documents name are there. An application's own, and what a document proposes to write, are not ours.
check_names() {
    {
        find . -path ./build -prune -o -name '*.[ch]' -print -o -name '*.cl' -print | sed 's|.*/|is:|'
        grep -roE '(^|[^A-Za-z0-9_.>%])[a-z][a-z0-9_]+\.(c|cl)([^A-Za-z0-9_]|$)' src include kernels docs ./*.md |
            sed -E 's/:[^a-z]?([a-z][a-z0-9_]*\.cl?)[^a-z0-9_]?$/:\1/'
    } | awk -F: '
        $1 == "is" { is[$2] = 1; next }
        $2 !~ /^(application|running_sum)\./ && !($2 in is) { print $1 ": there is no file " $2 }' >>"$found"
}

# Writable data in the library's objects: a mutable global. Tables of constants are read-only after relocation.
check_globals() { # check_globals LIBRARY.a
    size -A "$1" | awk '/ex / { file = $1 } $1 ~ /^\.(data|bss|tdata|tbss)(\.|$)/ && $1 !~ /^\.data\.rel\.ro/ && $2 > 0 {
        print file ": " $2 " bytes in " $1 "    <- no mutable globals" }' >>"$found"
}

# Files that need each other, by way of others or directly: those that define a name which the other's code uses. What nobody of those
# left needs, and what needs nobody of them, is taken away until nothing changes; what is left is circles and what lies between two.
check_circles() { # check_circles BUILD-FOLDER
    find "$1/CMakeFiles" -path '*.dir/src/*.c.o' | while read -r object; do
        file=${object##*.dir/}
        [ ! -f "${file%.o}" ] || echo "$object" # not what was built before a file moved
    done | xargs nm -A |
        awk '{ file = $1; sub(/:.*/, "", file); sub(/.*\.dir\//, "", file); sub(/\.o$/, "", file); type = $(NF - 1) }
            type == "U" { uses[++count] = file; name[count] = $NF; next }
            type ~ /^[A-Z]$/ { defines[$NF] = file }
            END {
                for (i = 1; i <= count; i++) {
                    to = defines[name[i]]
                    if (to == "" || to == uses[i]) continue
                    if (!((uses[i], to) in names)) { from[++arrows] = uses[i]; target[arrows] = to; left[arrows] = 1 }
                    names[uses[i], to] = names[uses[i], to] " " name[i]
                }
                do {
                    changed = 0
                    delete out; delete into
                    for (i = 1; i <= arrows; i++) if (left[i]) { out[from[i]] = 1; into[target[i]] = 1 }
                    for (i = 1; i <= arrows; i++)
                        if (left[i] && (!(target[i] in out) || !(from[i] in into))) { left[i] = 0; changed = 1 }
                } while (changed)
                for (i = 1; i <= arrows; i++)
                    if (left[i]) print from[i] " needs " target[i] " for" names[from[i], target[i]] "    <- a circle of files"
            }' >>"$found"
}

check_exports() { # check_exports LIBRARY.so
    defined=$(nm -D --defined-only "$1" | awk '{ print $NF }')
    echo "$defined" | grep -v '^mica_' | sed 's/$/: exported, but not a public name/' >>"$found"
    # shellcheck disable=SC2046 # a list of names
    printf '%s\n' $(cat include/mica/*.h include/mica/*/*.h | tr '\n' ' ' | grep -oE 'MICA_API [^;]*;' | grep -oE 'mica_[a-z0-9_]+\(' | tr -d '(') |
        { echo "$defined" | sed 's/^/defined /'; cat; } |
        awk '$1 == "defined" { is[$2] = 1; next } !is[$1] { print $1 ": declared in a public header, but not defined" }' >>"$found"
}

# Each public header compiles alone, twice in a row, in C11 and in C++, with strict warnings.
check_headers() { # check_headers COMPILER LANGUAGE OPENCL-INCLUDE-FOLDER
    case $2 in
    c) flags="-std=c11 -Wstrict-prototypes" ;;
    *) flags="-std=c++11 -Wno-variadic-macros" ;;
    esac
    for header in include/mica/*.h include/mica/*/*.h; do
        name=${header#include/}
        # shellcheck disable=SC2086 # a list of flags
        printf '#include <%s>\n#include <%s>\n' "$name" "$name" |
            "$1" -x "$2" $flags -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Werror -Iinclude -isystem "$3" \
                -fsyntax-only - >>"$found" 2>&1 || echo "$name: does not compile alone as $2" >>"$found"
    done
}

"check_$rule" "$@"
if [ -s "$found" ]; then
    cat "$found"
    exit 1
fi
