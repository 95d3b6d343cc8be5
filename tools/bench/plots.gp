# Draws the measurements in tools/bench/figures, in English and in Chinese, in colours that can be read on white and on black.
folder = "tools/bench/figures/"
GREY = "#7d8590"; BLUE = "#3b82f6"; ORANGE = "#d97706"; GREEN = "#16a34a"

set border 3 linecolor rgb GREY
set tics nomirror textcolor rgb GREY
set key above horizontal left textcolor rgb GREY reverse Left samplen 2
set grid ytics linecolor rgb GREY linewidth 0.25
set style line 1 linecolor rgb BLUE linewidth 2 pointtype 7 pointsize 0.4
set style line 2 linecolor rgb ORANGE linewidth 2 pointtype 7 pointsize 0.4
set style line 3 linecolor rgb GREEN linewidth 2 pointtype 7 pointsize 0.4

set datafile missing "-"

do for [chinese = 0:1] {
    end = chinese ? ".zh-CN.svg" : ".svg"
    in(english, words) = chinese ? words : english
    set terminal svg size 720, 360 font "sans-serif,14" noenhanced

    set output folder . "waits" . end
    set xlabel in("the n-th client", "第 n 个客户端") textcolor rgb GREY
    set ylabel in("seconds until it has its page", "等待时间（秒）") textcolor rgb GREY
    set xrange [0:50]; set yrange [0:*]
    plot folder . "waits.txt" using 1:3 with linespoints linestyle 2 title "step_b", \
         "" using 1:2 with lines linestyle 1 linewidth 5 title "step_a", \
         "" using 1:4 with linespoints linestyle 3 title "step_c"

    set output folder . "descriptors" . end
    set xlabel in("clients served", "服务过的客户端数") textcolor rgb GREY
    set ylabel in("sockets held", "持有的套接字数") textcolor rgb GREY
    set xrange [0:200]; set yrange [0:*]
    plot folder . "descriptors.txt" using 1:3 with lines linestyle 2 title "step_d", \
         "" using 1:2 with lines linestyle 1 title "step_c"

    set output folder . "zombies" . end
    set xlabel in("seconds since client3 was started", "client3 启动后的秒数") textcolor rgb GREY
    set ylabel in("zombies", "僵尸进程数") textcolor rgb GREY
    set logscale x; set xrange [0.001:*]; set yrange [0:140]
    plot folder . "zombies.txt" index 0 using ($1 > 0 ? $1 : 0.001):2 with steps linestyle 2 title "step_d", \
         "" index 1 using ($1 > 0 ? $1 : 0.001):2 with steps linestyle 1 title "step_f", \
         "" index 2 using ($1 > 0 ? $1 : 0.001):2 with steps linestyle 3 title "step_g"
    unset logscale x

    set output folder . "held" . end
    set xlabel in("silent clients held", "不说话的客户端数") textcolor rgb GREY
    set ylabel in("milliseconds until an answer", "应答时间（毫秒）") textcolor rgb GREY
    set xrange [0:8200]; set yrange [0:*]
    plot folder . "held.txt" using 1:2:3:4 with yerrorlines linestyle 2 title "step_g", \
         "" using 1:5:6:7 with yerrorlines linestyle 1 title in("exercise 8", "练习 8"), \
         "" using 1:8:9:10 with yerrorlines linestyle 3 title "step_h"

    set output folder . "throughput" . end
    set xlabel in("requests a second", "每秒请求数") textcolor rgb GREY
    unset ylabel; unset key
    set grid noytics xtics
    set xrange [0:*]; set yrange [*:*] reverse
    set lmargin 26
    plot folder . "throughput.txt" using 2:0:(0):2:($0 - 0.35):($0 + 0.35):ytic(1) with boxxyerror linestyle 1 fill solid 0.35, \
         "" using 2:0:3:4 with xerrorbars linecolor rgb GREY pointtype 0
    set grid ytics noxtics
    set key; set lmargin -1
    set yrange [*:*] noreverse
}
