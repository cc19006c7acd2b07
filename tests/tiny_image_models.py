"""Image models of transformers with random weights: every architecture, small enough for a test."""

import json

CROP = {"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}}
SQUASH = {"size": {"height": 32, "width": 32}}
CONVNEXT = {"size": {"shortest_edge": 64}, "crop_pct": 0.9}
TRANSFORMER = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "image_size": 32,
    "patch_size": 8,
    "initializer_range": 0.2,
}
TEXT = {
    "vocab_size": 50,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
TOWERS = {"vision_config": TRANSFORMER, "text_config": TEXT}
STAGES = {"hidden_sizes": [16, 32], "depths": [1, 1], "initializer_range": 0.2}
# By model_type: the class that is saved, its configuration, its image processor.
ARCHITECTURES = {
    "vit": ("ViTForImageClassification", TRANSFORMER, "ViT", SQUASH),
    "deit": ("DeiTModel", TRANSFORMER, "DeiT", {**CROP, "size": {"height": 40, "width": 40}}),
    "dinov2": ("Dinov2Model", {**TRANSFORMER, "image_size": 48}, "Bit", CROP),
    "dinov2_with_registers": ("Dinov2WithRegistersModel", TRANSFORMER, "Bit", CROP),
    "siglip": ("SiglipModel", TOWERS, "Siglip", SQUASH),
    "clip": ("CLIPModel", {**TOWERS, "projection_dim": 16}, "CLIP", CROP),
    "convnext": ("ConvNextModel", {**STAGES, "num_stages": 2}, "ConvNext", CONVNEXT),
    "convnextv2": ("ConvNextV2Model", {**STAGES, "num_stages": 2}, "ConvNext", CONVNEXT),
    "resnet": (
        "ResNetForImageClassification",
        {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1], "layer_type": "basic"},
        "ConvNext",
        CONVNEXT,
    ),
    "swin": (
        "SwinModel",
        {
            "image_size": 32,
            "embed_dim": 16,
            "depths": [2, 1],
            "num_heads": [2, 2],
            "window_size": 4,
            "initializer_range": 0.2,
        },
        "ViT",
        {**SQUASH, "resample": 3},
    ),
    "mobilenet_v2": (
        "MobileNetV2Model",
        {"depth_multiplier": 0.35, "initializer_range": 0.2},
        "MobileNetV2",
        CROP,
    ),
}


def save_image_model(folder, architecture):
    """Save the model of an architecture, with its image processor; return the folder."""
    import torch
    import transformers

    name, config, processor, settings = ARCHITECTURES[architecture]
    model_class = getattr(transformers, name)
    torch.manual_seed(0)
    model_class(model_class.config_class(**config)).save_pretrained(folder)
    save_processor(folder, processor, **settings)
    return folder


def save_processor(folder, kind, **settings):
    """Save the configuration of an image processor."""
    definition = {"image_processor_type": f"{kind}ImageProcessor", **settings}
    (folder / "preprocessor_config.json").write_text(json.dumps(definition))


def save_two_towers(folder, architecture="clip"):
    """Save a CLIP or a SigLIP with random weights, with the processors of both; return the folder.

    SigLIP names a tokenizer class that needs a package of its own, as its published models do.
    """
    import torch
    import transformers
    from tiny_models import wordpiece

    tokenizer = wordpiece()
    name, config, processor, settings = ARCHITECTURES[architecture]
    size = {"vocab_size": len(tokenizer), "max_position_embeddings": 24, "num_hidden_layers": 2}
    ids = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0, "initializer_range": 0.2}
    config = {**config, "text_config": {**TEXT, **size, **ids}}
    model_class = getattr(transformers, name)
    torch.manual_seed(0)
    model = model_class(model_class.config_class(**config))
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    save_processor(folder, processor, **settings)
    if architecture == "siglip":
        path = folder / "tokenizer_config.json"
        stated = json.loads(path.read_text())
        path.write_text(json.dumps({**stated, "tokenizer_class": "SiglipTokenizer"}))
    return folder
