"""No option is dead: each one of `train` changes the model or the run, and each one of every command is tested.

An option that is added without a test fails here.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from nestrec.cli.main import app, main
from nestrec.cli.training_options import ModelOptions, OptimizationOptions
from nestrec.training.backbones import MF, LightGCN
from nestrec.training.engines import TorchEngine
from nestrec.training.losses import BilateralSoftmax, DirectAU, SampledSoftmax
from nestrec.training.options import Run
from nestrec.training.samplers import AdaptiveSampler, DynamicSampler, PoolSampler
from nestrec.training.trainer import Trainer

# Words that, added to a small run, must change the manifest: the options used, the data, or the bytes of the model.
CHANGING = {
    "--widths": ["--widths", "2,4,9"],
    "--level-weights": ["--level-weights", "1,1,6"],
    "--level-starts": ["--level-starts", "0,0.3,0.4"],
    "--sampler": ["--sampler", "uniform"],
    "--candidates": ["--sampler", "dynamic", "--candidates", "3"],
    "--preset": ["--preset", "paper"],
    "--engine": ["--engine", "torch"],
    "--device": ["--device", "cpu"],
    "--optimizer": ["--optimizer", "adam"],
    "--batch-size": ["--batch-size", "64"],
    "--mixed-precision": ["--engine", "torch", "--sampler", "dynamic", "--mixed-precision"],
    "--backbone": ["--backbone", "lightgcn"],
    "--layers": ["--backbone", "lightgcn", "--layers", "1"],
    "--edge-dropout": ["--edge-dropout", "0.5"],
    "--loss": ["--loss", "directau"],
    "--temperature": ["--temperature", "0.1"],
    "--coupling": ["--coupling", "0.9"],
    "--temperature-ratio": ["--loss", "bsl", "--temperature-ratio", "2"],
    "--shared": ["--shared"],
    "--hardest": ["--sampler", "dynamic", "--hardest", "2"],
    "--alpha": ["--sampler", "adaptive", "--alpha", "0.5"],
    "--beta": ["--beta", "0.3"],
    "--power": ["--power", "-3"],
    "--gamma": ["--sampler", "disentangled", "--gamma", "0.3"],
    "--epochs": ["--epochs", "4"],
    "--learning-rate": ["--learning-rate", "0.05"],
    "--regularization": ["--regularization", "0.5"],
    "--tune-seconds": ["--tune-seconds", "600"],
    "--metric": ["--metric", "recall@5"],
    "--evaluate-every": ["--evaluate-every", "2"],
    "--patience": ["--patience", "1"],
    "--validation": ["--validation", "{given}"],
    "--validation-fraction": ["--validation-fraction", "0.4"],
    "--validation-split": ["--validation-split", "leave-last-out"],
    "--no-validation": ["--no-validation"],
    "--no-refit": ["--no-refit"],
    "--seed": ["--seed", "1"],
    "--user-column": ["--user-column", "mark"],
    "--item-column": ["--item-column", "5"],
    "--rating-column": ["--rating-column", "mark", "--min-rating", "3"],
    "--timestamp-column": ["--timestamp-column", "moment", "--validation-split", "time"],
    "--sequence": ["--sequence", "--sequence-separator", "/"],
    "--sequence-separator": ["--sequence", "--sequence-separator", "b"],
    "--min-rating": ["--min-rating", "3"],
    "--weight-column": ["--weight-column", "mark"],
    "--rating-weights": ["--rating-weights"],
    "--weight-transform": ["--weight-column", "mark", "--weight-transform", "log1p"],
    "--half-life": ["--half-life", "0.001"],
    "--dislike-below": ["--dislike-below", "3"],
    "--min-user-interactions": ["--min-user-interactions", "12"],
    "--min-item-interactions": ["--min-item-interactions", "25"],
    "--header/--no-header": ["--no-header", "--user-column", "1", "--item-column", "2"],
    "--format": ["--format", "tsv", "--delimiter", ","],
}
# What else is tested, and by which test.
TESTED_ELSEWHERE = {
    "update": {
        "--out": "test_out_leaves_the_model",
        "--remove-users": "test_what_is_removed_is_in_no_file",
        "--remove-items": "test_what_is_removed_is_in_no_file",
        "--remove-interactions": "test_what_is_removed_is_in_no_file",
        "--skip-unknown": "test_what_is_removed_is_in_no_file",
        "--as-trained/--not-as-trained": "test_remembered_options_can_be_left_out_and_columns_found_by_name",
        "--changed-out": "test_changed_vectors_are_written",
        "--changed-tolerance": "test_changed_vectors_are_written",
        "--epochs": "test_epochs_learning_rate_and_seed_are_used",
        "--learning-rate": "test_epochs_learning_rate_and_seed_are_used",
        "--seed": "test_epochs_learning_rate_and_seed_are_used",
        "--deterministic": "test_epochs_learning_rate_and_seed_are_used",
        "--threads": "test_mistakes_of_an_update",
        "--validation": "test_validation_of_an_update",
        "--validation-fraction": "test_validation_of_an_update",
        "--overwrite": "test_out_leaves_the_model",
    },
    "train": {
        "--encoding": "test_encoding_is_used",
        "--na-values": "test_delimiter_quote_and_words_for_nothing_are_used",
        "--out": "test_it_writes_a_model_with_the_account_of_its_data",
        "--config": "test_its_values_are_taken",
        "--resume": "test_resume_ends_where_an_uninterrupted_run_does",
        "--overwrite": "test_overwrite_replaces_a_model",
        "--threads": "test_threads_and_deterministic_reach_the_run",
        "--deterministic": "test_threads_and_deterministic_reach_the_run",
        "--strict": "test_strict_stops_at_a_bad_row",
        "--delimiter": "test_delimiter_quote_and_words_for_nothing_are_used",
        "--quote": "test_delimiter_quote_and_words_for_nothing_are_used",
        "--repeats": "test_repeats_and_time_format_are_used",
        "--time-format": "test_repeats_and_time_format_are_used",
        "--items": "test_train_attaches_an_item_table",
        "--item-id-column": "test_train_attaches_an_item_table",
        "--title-column": "test_train_attaches_an_item_table",
    },
    "items": {
        "--item-id-column": "test_columns_and_the_layout_of_text_are_taken",
        "--title-column": "test_columns_and_the_layout_of_text_are_taken",
        "--list-separator": "test_columns_and_the_layout_of_text_are_taken",
        "--delimiter": "test_columns_and_the_layout_of_text_are_taken",
        "--encoding": "test_columns_and_the_layout_of_text_are_taken",
        "--header/--no-header": "test_columns_and_the_layout_of_text_are_taken",
        "--remove": "test_it_attaches_replaces_and_removes_a_table",
    },
    "split": {
        "--out": "test_every_row_is_kept_unchanged_in_one_part",
        "--by": "test_every_row_is_kept_unchanged_in_one_part",
        "--test-fraction": "test_shares_and_seed_are_used",
        "--validation-fraction": "test_shares_and_seed_are_used",
        "--seed": "test_shares_and_seed_are_used",
        "--at": "test_a_moment_parts_the_rows",
        "--to": "test_formats_can_be_chosen",
        "--min-user-interactions": "test_filters_leave_rows_out_and_count_them",
        "--min-item-interactions": "test_filters_leave_rows_out_and_count_them",
        "--overwrite": "test_nothing_is_replaced_without_overwrite",
        "--threads": "test_mistakes_are_one_sentence",
    },
    "evaluate": {
        "--by-popularity": "test_by_popularity_shows_the_metrics_of_head_middle_and_tail",
        "--metrics": "test_piped_it_is_csv_with_the_metrics_and_cutoffs_named",
        "--cutoffs": "test_widths_and_cutoffs_choose_what_is_shown",
        "--widths": "test_widths_and_cutoffs_choose_what_is_shown",
        "--json": "test_json_on_stdout_is_the_documented_shape_and_nothing_else",
        "--per-user": "test_files_are_written_beside_the_table",
        "--overwrite": "test_no_file_is_replaced_without_overwrite",
        "--bootstrap": "test_widths_and_cutoffs_choose_what_is_shown",
        "--threads": "test_evaluate_passes_threads_on",
    },
    "recommend": {
        "--user": "test_piped_it_is_csv_of_what_the_library_recommends",
        "--users": "test_users_come_from_lines_or_a_first_column",
        "--all-users": "test_every_format_holds_the_same_rows",
        "--history": "test_history_recommends_to_the_users_of_a_file",
        "--weight-column": "test_a_history_may_have_weights",
        "--user-column": "test_a_history_is_read_as_the_training_was",
        "--item-column": "test_a_history_is_read_as_the_training_was",
        "--min-rating": "test_a_history_is_read_as_the_training_was",
        "--diversity": "test_lists_are_reranked_as_by_the_library",
        "--diversity-width": "test_lists_are_reranked_as_by_the_library",
        "--calibrate": "test_lists_are_reranked_as_by_the_library",
        "--most-per-group": "test_lists_are_reranked_as_by_the_library",
        "--groups": "test_lists_are_reranked_as_by_the_library",
        "--popularity-penalty": "test_a_popularity_penalty_is_that_of_the_library",
        "-k": "test_piped_it_is_csv_of_what_the_library_recommends",
        "--width": "test_piped_it_is_csv_of_what_the_library_recommends",
        "--exclude-seen/--include-seen": "test_seen_items_come_only_when_asked_for",
        "--allow": "test_allow_and_deny_lists_bound_the_items",
        "--deny": "test_allow_and_deny_lists_bound_the_items",
        "--where": "test_a_condition_bounds_the_items",
        "--titles/--no-titles": "test_titles_are_the_last_column_where_they_are_asked_for",
        "--exact": "test_recommend_goes_by_the_plan_and_says_so_unless_exact",
        "--skip-unknown": "test_unknown_users_are_an_error_or_skipped_and_reported",
        "--threads": "test_mistakes_are_reported_in_one_sentence",
        "--out": "test_every_format_holds_the_same_rows",
        "--overwrite": "test_no_file_is_replaced_without_overwrite",
        "--resume": "test_an_interrupted_file_of_all_users_continues",
    },
    "plan": {
        "--recall": "test_the_target_k_and_width_are_taken",
        "-k": "test_the_target_k_and_width_are_taken",
        "--width": "test_the_target_k_and_width_are_taken",
        "--storages": "test_storages_and_sample_bound_what_is_measured",
        "--sample": "test_storages_and_sample_bound_what_is_measured",
        "--seed": "test_seed_and_threads_reach_the_planner",
        "--threads": "test_seed_and_threads_reach_the_planner",
        "--all": "test_all_shows_every_plan",
        "--measure-only": "test_measuring_only_leaves_the_model_as_it_is",
        "--overwrite": "test_no_file_is_replaced_without_overwrite",
        "--picture": "test_picture_and_json_are_written",
        "--json": "test_picture_and_json_are_written",
    },
    "explain": {
        "--user": "test_it_prints_the_contributions_and_the_sum",
        "--item": "test_it_prints_the_contributions_and_the_sum",
        "-k": "test_it_prints_the_contributions_and_the_sum",
        "--width": "test_it_prints_the_contributions_and_the_sum",
        "--titles/--no-titles": "test_explanations_have_titles",
    },
    "serve": {
        "--split": "test_models_have_names_and_a_split",
        "--split-salt": "test_models_have_names_and_a_split",
        "--watch": "test_options_reach_the_server",
        "--host": "test_it_listens_where_it_is_asked_to",
        "--port": "test_it_listens_where_it_is_asked_to",
        "--api-keys": "test_files_of_keys_are_read",
        "--admin-keys": "test_files_of_keys_are_read",
        "--access-log": "test_options_reach_the_server",
        "--max-k": "test_options_reach_the_server",
        "--max-users": "test_options_reach_the_server",
        "--max-body": "test_options_reach_the_server",
        "--in-flight": "test_options_reach_the_server",
        "--deadline": "test_options_reach_the_server",
        "--narrow-from": "test_options_reach_the_server",
    },
    "similar": {
        "--item": "test_it_gives_what_the_library_finds",
        "--user": "test_it_gives_what_the_library_finds",
        "-k": "test_it_gives_what_the_library_finds",
        "--width": "test_it_gives_what_the_library_finds",
        "--skip-unknown": "test_unknown_ids_are_an_error_or_skipped",
        "--where": "test_neighbours_are_bounded_by_a_condition_and_by_lists",
        "--allow": "test_neighbours_are_bounded_by_a_condition_and_by_lists",
        "--deny": "test_neighbours_are_bounded_by_a_condition_and_by_lists",
        "--titles/--no-titles": "test_titles_are_the_last_column_where_they_are_asked_for",
        "--overwrite": "test_no_file_is_replaced_without_overwrite",
        "--out": "test_it_writes_a_file_too",
    },
    "export": {
        "--to": "test_it_writes_the_vectors_of_a_side_at_a_width",
        "--out": "test_it_writes_the_vectors_of_a_side_at_a_width",
        "--width": "test_it_writes_the_vectors_of_a_side_at_a_width",
        "--side": "test_it_writes_the_vectors_of_a_side_at_a_width",
        "--option": "test_options_of_the_format_are_taken",
        "--overwrite": "test_a_file_is_replaced_only_with_overwrite",
        "--widths": "test_a_store_is_written_queried_and_kept_up_to_date",
        "--changed-since": "test_a_store_is_written_queried_and_kept_up_to_date",
        "--verify": "test_a_store_that_falls_short_exits_with_1_and_names_users",
        "--min-recall": "test_a_store_that_falls_short_exits_with_1_and_names_users",
        "--quantize": "test_quantization_and_a_condition_reach_the_store",
        "--where": "test_quantization_and_a_condition_reach_the_store",
    },
    "query": {
        "--model": "test_a_query_is_what_the_store_finds",
        "--store": "test_a_query_is_what_the_store_finds",
        "--user": "test_a_query_is_what_the_store_finds",
        "--users": "test_users_of_a_file_are_queried_and_unknown_ones_skipped",
        "--skip-unknown": "test_users_of_a_file_are_queried_and_unknown_ones_skipped",
        "-k": "test_a_query_is_what_the_store_finds",
        "--widths": "test_widths_shortlist_and_exact_reach_the_store",
        "--shortlist": "test_widths_shortlist_and_exact_reach_the_store",
        "--exact": "test_widths_shortlist_and_exact_reach_the_store",
        "--exclude-seen/--include-seen": "test_a_query_is_what_the_store_finds",
        "--option": "test_widths_shortlist_and_exact_reach_the_store",
        "--titles/--no-titles": "test_titles_come_with_the_items",
        "--out": "test_users_of_a_file_are_queried_and_unknown_ones_skipped",
        "--overwrite": "test_users_of_a_file_are_queried_and_unknown_ones_skipped",
    },
    "tune": {
        "--model": "test_another_model_is_tuned_at_each_width",
        "--widths": "test_the_best_options_are_shown_and_taken_by_train",
        "--trials": "test_the_best_options_are_shown_and_taken_by_train",
        "--seconds": "test_mistakes_are_reported_in_one_sentence",
        "--metric": "test_the_best_options_are_shown_and_taken_by_train",
        "--seed": "test_mistakes_are_reported_in_one_sentence",
        "--threads": "test_mistakes_are_reported_in_one_sentence",
        "--out": "test_the_best_options_are_shown_and_taken_by_train",
        "--overwrite": "test_long_runs_refuse_existing_files_before_they_begin",
    },
    "compare": {
        **dict.fromkeys(
            (
                "--models",
                "--widths",
                "--cutoffs",
                "--seeds",
                "--trials",
                "--seconds",
                "--metric",
                "--tune-nestrec",
                "--threads",
                "--json",
            ),
            "test_every_option_reaches_the_comparison",
        ),
        "--out": "test_interrupted_it_says_how_to_continue_and_does",
        "--overwrite": "test_long_runs_refuse_existing_files_before_they_begin",
    },
    "info": {
        "--json": "test_json_is_the_manifest_with_the_memory_of_each_width",
        "--verify": "test_it_says_how_far_the_files_were_verified",
    },
    "demo": {
        "--out": "test_it_writes_model_data_figures_page_and_picture",
        "--seed": "test_another_seed_makes_other_data",
        "--overwrite": "test_the_demo_may_replace_what_it_wrote_until_that_is_changed",
    },
    "doctor": {},
    "datasets": {"--folder": "test_the_list_names_sets_sizes_licence_and_what_is_here"},
    "download": {"--folder": "test_download_prints_the_path_the_terms_and_a_command_that_works"},
}
READING = {
    "--format", "--user-column", "--item-column", "--rating-column", "--timestamp-column", "--delimiter", "--quote",
    "--header/--no-header", "--min-rating", "--strict", "--sequence", "--sequence-separator",
    "--repeats", "--time-format", "--na-values", "--encoding",
}  # fmt: skip


SIGNALS = {"--weight-column", "--rating-weights", "--weight-transform", "--half-life", "--dislike-below"}


def commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    datasets = group.commands["datasets"]
    return {**group.commands, "download": datasets.commands["download"]}


def options_of(command: Any) -> set[str]:
    options = [param for param in command.params if param.param_type_name == "option" and param.name != "help"]
    return {"/".join([*param.opts, *param.secondary_opts]) for param in options}


def test_every_option_of_every_command_is_tested() -> None:
    assert set(commands()) == set(TESTED_ELSEWHERE)
    for name, command in commands().items():
        tested = set(TESTED_ELSEWHERE[name])
        if name == "train":
            tested |= set(CHANGING)
        if name in {"update", "split", "evaluate", "tune", "compare"}:
            tested |= READING  # the same class of options as that of train
        if name in {"update", "tune", "compare"}:
            tested |= SIGNALS  # the same
        if name not in {"items", "explain", "similar", "query", "info", "doctor", "datasets"}:
            tested.add("--quiet/-q")  # test_quiet_prints_results_alone
        assert options_of(command) == tested, name


def test_the_tests_named_exist() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    found = set(re.findall(r"def (test_\w+)\(", text))
    assert {test for tests in TESTED_ELSEWHERE.values() for test in tests.values()} <= found


def trained(interactions: Path, out: Path, words: list[str]) -> dict[str, Any]:
    watched = [] if "--no-validation" in words else ["--evaluate-every", "1"]
    base = ["--widths", "2,4,8", "--epochs", "3", "--deterministic", *watched]
    assert main(["train", str(interactions), "--out", str(out), *base, *words]) == 0  # of two, the last one counts
    manifest: dict[str, Any] = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    training = manifest["training"]
    return {
        "options": training["options"],
        "validation": training["validation"],
        "metrics": training["validation_metrics"],
        "files": manifest["files"],
        "format": manifest["data"]["report"]["format"],
    }


@pytest.fixture(scope="module")
def plain(interactions: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return trained(interactions, tmp_path_factory.mktemp("plain") / "m", [])


@pytest.mark.parametrize("option", CHANGING)
def test_an_option_of_train_changes_the_result(
    interactions: Path, tmp_path: Path, plain: dict[str, Any], option: str
) -> None:
    given = tmp_path / "given.csv"
    given.write_text("user_id,item_id\nu001,topic1/sub1/item1\nu002,topic1/sub1/item2\n")
    words = [word.format(given=given) for word in CHANGING[option]]
    assert trained(interactions, tmp_path / "m", words) != plain


def test_the_same_words_give_the_same_model(interactions: Path, tmp_path: Path, plain: dict[str, Any]) -> None:
    """So a difference above comes from the option."""
    assert trained(interactions, tmp_path / "m", []) == plain


def test_the_rating_and_time_columns_named_are_the_ones_used(interactions: Path, tmp_path: Path) -> None:
    """The options given beside them would change the result by themselves."""
    for option, other in (("--rating-column", "rating"), ("--timestamp-column", "timestamp")):
        words = CHANGING[option]
        one = trained(interactions, tmp_path / f"one{option}", words)
        assert trained(interactions, tmp_path / f"other{option}", [option, other, *words[2:]]) != one


def test_threads_and_deterministic_reach_the_run(
    interactions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Run] = []

    def fit(*_: object, run: Run, **__: object) -> None:
        seen.append(run)
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "fit", fit)
    main(["train", str(interactions), "--out", str(tmp_path / "m"), "--threads", "3"])
    main(["train", str(interactions), "--out", str(tmp_path / "m"), "--deterministic"])
    assert [(run.threads, run.deterministic) for run in seen] == [(3, False), (None, True)]


def test_evaluate_passes_threads_on(interactions: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(model), str(interactions), "--threads", "0"]) == 2
    assert "--threads must be at least 1, got 0" in capsys.readouterr().err


def test_strict_stops_at_a_bad_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.csv"
    path.write_text("user,item\na,b\na,\n" + "".join(f"{n},{n % 7}\n" for n in range(40)))
    assert main(["train", str(path), "--out", str(tmp_path / "m"), "--no-validation", "--epochs", "1"]) == 0
    assert main(["train", str(path), "--out", str(tmp_path / "n"), "--strict"]) == 1
    assert "line 3: the item id is missing" in capsys.readouterr().err


def test_delimiter_quote_and_words_for_nothing_are_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=";", quotechar="'", quoting=csv.QUOTE_ALL)
        writer.writerow(("user", "item"))
        writer.writerows((f"u{n % 9}", f"a;{n % 5}") for n in range(30))
        file.write("NA;x\nnone;x\n")
    words = ["train", str(path), "--no-validation", "--epochs", "1", "--out"]
    assert main([*words, str(tmp_path / "m"), "--delimiter", ";", "--quote", "'"]) == 0
    assert "kept 31 interactions of 10 users with 6 items" in capsys.readouterr().err
    for words_for_nothing, kept in (("none,?", 31), ("", 32)):
        more = ["--delimiter", ";", "--quote", "'", "--na-values", words_for_nothing, "--overwrite"]
        assert main([*words, str(tmp_path / "m"), *more]) == 0
        assert f"kept {kept} interactions" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "n"), "--delimiter", "::"]) == 1


def test_repeats_and_time_format_are_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.csv"
    rows = [f"{user},{item},{1 + (user + item) % 5},{1 + item}/02/2021" for user in range(9) for item in range(9)]
    path.write_text("\n".join(["user,item,rating,date", *rows, "1,1,5,28/03/2021"]) + "\n")
    words = ["train", str(path), "--min-rating", "5", "--epochs", "1", "--out", str(tmp_path / "m")]
    assert main([*words, "--repeats", "last"]) == 1
    assert "--time-format" in capsys.readouterr().err
    assert main([*words, "--repeats", "last", "--time-format", "%d/%m/%Y", "--no-validation"]) == 0
    assert "kept 17 interactions" in capsys.readouterr().err
    assert main([*words, "--repeats", "first", "--time-format", "%d/%m/%Y", "--no-validation", "--overwrite"]) == 0
    assert "kept 16 interactions" in capsys.readouterr().err


def test_encoding_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(
        "user,item\n".encode("utf-16-le") + "".join(f"é{n},{n % 7}\n" for n in range(40)).encode("utf-16-le")
    )
    out = str(tmp_path / "m")
    words = ["train", str(path), "--no-validation", "--epochs", "1", "--out", out, "--overwrite", "--encoding"]
    assert main([*words, "utf-16-le"]) == 0
    assert "kept 40 interactions of 40 users" in capsys.readouterr().err
    assert main([*words, "shift_jis"]) == 1
    assert main([*words, "none"]) == 2
    assert "encoding must be one that Python knows" in capsys.readouterr().err


def test_the_defaults_shown_are_the_library_s(capsys: pytest.CaptureFixture[str]) -> None:
    main(["train", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    trainer = Trainer()
    assert (trainer.backbone, trainer.loss, trainer.sampler) == (MF(), SampledSoftmax(), PoolSampler())
    known: dict[str, Any] = {
        "backbone": "mf",
        "loss": "softmax",
        "sampler": "pool",
        "layers": LightGCN().n_layers,
        "coupling": SampledSoftmax().coupling,
        "temperature_ratio": BilateralSoftmax().temperature_ratio,
        "hardest": DynamicSampler().n_hardest,
        "alpha": AdaptiveSampler().alpha,
        "beta": AdaptiveSampler().beta,
        "power": AdaptiveSampler().power,
        "gamma": DirectAU().gamma,
        "learning_rate": SampledSoftmax().data_defaults.cpu_learning_rate,
        "optimizer": "adagrad",
        "device": TorchEngine().device,
        "engine": "cpu",
        "preset": "none",
        "candidates": None,
        "batch_size": None,
    }
    of_trainer = [*ModelOptions().__dict__, *OptimizationOptions().__dict__, "metric", "evaluate_every", "patience"]
    for name in (*known, *of_trainer):
        option = "--" + name.replace("_", "-")
        shown = re.search(rf"{option} .*?\[default: (.*?)\]", text)
        assert shown is not None, option
        value: Any = known[name] if name in known else getattr(trainer, name)
        if value is None:
            assert re.match("depends on the data|a 64th|an eighth|rising", shown[1]), option
        elif name == "widths":
            assert shown[1] == ",".join(map(str, value))
        else:
            assert re.split("[ ,;]", shown[1])[0] == str(value), option
