#!/bin/sh
# The whole product on the data of this folder; `make demo` runs it. Results go to runs/demo.
set -eu
runs=runs/demo
rm -rf "$runs"

show() {
    printf '\n$'
    for word in "$@"; do
        case $word in
            *\'*) printf ' "%s"' "$word" ;;
            *' '*) printf " '%s'" "$word" ;;
            *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
    "$@"
}

step() {
    printf '\n== %s ==\n' "$1"
}

step 'Texts: embed once, then train and test a classifier on labels held apart'
show featurize embed data/support_messages.csv --out "$runs/messages"
show featurize train "$runs/messages" --labels data/splits/messages_train.csv --out "$runs/topic"
show featurize evaluate "$runs/topic" "$runs/messages" --labels data/splits/messages_test.csv
show featurize predict "$runs/topic" "$runs/messages" --out "$runs/topics.parquet"

step 'Images: the same commands'
show featurize embed data/surfaces --out "$runs/surfaces"
show featurize train "$runs/surfaces" --labels data/splits/surfaces_train.csv --out "$runs/defect"
show featurize evaluate "$runs/defect" "$runs/surfaces" --labels data/splits/surfaces_test.csv
show featurize predict "$runs/defect" "$runs/surfaces" --out "$runs/defects.parquet"

step 'Search: by text, with a filter, by image, by id'
show featurize index "$runs/messages" --out "$runs/messages.index"
show featurize index "$runs/surfaces" --out "$runs/surfaces.index"
show featurize search "$runs/messages.index" 'my parcel never came' -k 3
show featurize search "$runs/messages.index" 'my parcel never came' -k 3 --where "label = 'refund'"
show featurize search "$runs/messages.index" --id m001 -k 3
show featurize search "$runs/surfaces.index" --image data/surfaces/crack/crack_01.jpg -k 3

printf '\nEverything lies in %s:\n' "$runs"
printf '  %-18s %s\n' \
    messages/ 'embedding table of the texts: pandas.read_parquet reads it' \
    surfaces/ 'embedding table of the images' \
    topic/ 'classifier of the texts' \
    defect/ 'classifier of the images' \
    topics.parquet 'a prediction with probabilities for every text' \
    defects.parquet 'a prediction with probabilities for every image' \
    messages.index/ 'search index of the texts' \
    surfaces.index/ 'search index of the images'
