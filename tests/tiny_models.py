"""Tiny models with random weights, of every architecture that is supported."""

from dataclasses import dataclass, field
from pathlib import Path

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WIDTH = 32
SIZES = {
    "hidden_size": WIDTH,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
    "initializer_range": 0.2,
}
CORPUS = [
    "A quick brown fox jumps over the lazy dog, 17 times.",
    "My card has not arrived yet; where is it? It's been two weeks!",
    "Съешь ещё этих мягких французских булок. 人工智能正在改变世界。",
]


@dataclass(frozen=True)
class Family:
    """An architecture: its classes in transformers, its tokenizer, and what differs in its sizes.

    A value of None takes a size away, for configurations that call it otherwise.
    """

    config: str
    model: str
    tokenizer: str = "wordpiece"
    sizes: dict = field(default_factory=dict)
    pooling: str = "mean"


FAMILIES = {
    "bert": Family("BertConfig", "BertModel", sizes={"num_hidden_layers": 2}),
    "roberta": Family("RobertaConfig", "RobertaModel", sizes={"pad_token_id": 1}),
    "xlm-roberta": Family(
        "XLMRobertaConfig", "XLMRobertaModel", "unigram", {"pad_token_id": 1, "type_vocab_size": 1}
    ),
    "distilbert": Family(
        "DistilBertConfig", "DistilBertModel", sizes={"dim": WIDTH, "n_layers": 1, "n_heads": 2}
    ),
    "electra": Family("ElectraConfig", "ElectraModel", sizes={"embedding_size": 16}),
    "albert": Family("AlbertConfig", "AlbertModel", "unigram", {"embedding_size": 16}),
    "mpnet": Family("MPNetConfig", "MPNetModel", sizes={"pad_token_id": 1}),
    "deberta-v3": Family(
        "DebertaV2Config",
        "DebertaV2Model",
        "unigram",
        {
            "relative_attention": True,
            "position_buckets": 8,
            "pos_att_type": ["p2c", "c2p"],
            "position_biased_input": False,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "type_vocab_size": 0,
        },
    ),
    "modernbert": Family(
        "ModernBertConfig",
        "ModernBertModel",
        "bytes",
        {
            "num_hidden_layers": 3,
            "global_attn_every_n_layers": 2,
            "local_attention": 8,
            "max_position_embeddings": 1100,
            "pad_token_id": 0,
        },
        "cls",
    ),
    "qwen3": Family(
        "Qwen3Config",
        "Qwen3Model",
        "bytes",
        {"num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 64},
        "lasttoken",
    ),
    "gemma3": Family(
        "Gemma3TextConfig",
        "Gemma3TextModel",
        "unigram",
        {
            "num_hidden_layers": 2,
            "num_key_value_heads": 1,
            "head_dim": 16,
            "sliding_window": 8,
            "layer_types": ["sliding_attention", "full_attention"],
            "use_bidirectional_attention": True,
            "max_position_embeddings": 64,
        },
    ),
    "t5": Family(
        "T5Config",
        "T5EncoderModel",
        "unigram",
        {"d_model": WIDTH, "d_kv": 16, "d_ff": 48, "num_layers": 1, "num_heads": 2},
    ),
}


def save_transformer(folder: Path, family="bert", **overrides):
    """Save a transformer and its tokenizer; return the folder."""
    import torch
    import transformers

    torch.manual_seed(1)
    form = FAMILIES[family]
    tokenizer = TOKENIZERS[form.tokenizer]()
    sizes = {**SIZES, **form.sizes, **overrides}
    config = getattr(transformers, form.config)(vocab_size=len(tokenizer), **sizes)
    model = getattr(transformers, form.model)(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_model(folder: Path, transformer: Path, pooling="mean", following=(), prompts=None):
    """Save a sentence-transformers model: a transformer, a pooling and what follows."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    modules = [Transformer(str(transformer)), Pooling(WIDTH, pooling_mode=pooling), *following]
    model = SentenceTransformer(modules=modules, device="cpu", prompts=prompts)
    model.save(str(folder), create_model_card=False)
    return folder


def dense(into, out, **options):
    """Return a dense layer."""
    import torch
    from sentence_transformers.sentence_transformer.modules import Dense

    return Dense(into, out, activation_function=torch.nn.Tanh(), **options)


def layer_norm(width):
    """Return a layer normalisation whose weights are not those of a fresh one."""
    import torch
    from sentence_transformers.sentence_transformer.modules import LayerNorm

    module = LayerNorm(width)
    torch.nn.init.uniform_(module.norm.weight, 0.5, 1.5)
    torch.nn.init.uniform_(module.norm.bias, -0.5, 0.5)
    return module


def normalize():
    """Return a normalisation to unit length."""
    from sentence_transformers.sentence_transformer.modules import Normalize

    return Normalize()


def save_static(folder: Path, **tensors):
    """Save a StaticEmbedding model, or with other tensors one that Model2Vec would save."""
    import torch
    from safetensors.torch import save_file
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    torch.manual_seed(1)
    tokenizer = wordpiece().backend_tokenizer
    static = StaticEmbedding(tokenizer, embedding_dim=WIDTH)
    model = SentenceTransformer(modules=[static, normalize()], device="cpu")
    model.save(str(folder), create_model_card=False)
    if tensors:
        save_file(tensors, folder / "model.safetensors")
    return folder


def wordpiece():
    """Return a tokenizer as BERT's, which lowers letters."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    words = ["word", "one", "two", "the", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    vocabulary = {piece: number for number, piece in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return _between(tokenizer, "[CLS] $A [SEP]")


def unigram():
    """Return a tokenizer as SentencePiece's, which marks the beginnings of words."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=120, special_tokens=list(SPECIAL), unk_token="[UNK]", show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return _between(tokenizer, "[CLS] $A [SEP]")


def byte_level():
    """Return a tokenizer as Qwen's, which splits bytes and ends every text with a token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return _between(tokenizer, "$A [SEP]")


TOKENIZERS = {"wordpiece": wordpiece, "unigram": unigram, "bytes": byte_level}


def _between(tokenizer, template):
    """Add special tokens to every text."""
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=64,
    )
