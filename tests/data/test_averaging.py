import pytest
import torch

from mosegedge.data.averaging import averaged


def stripes():
    """Pictures whose left half is bright in channel 0, the right half in channel 1."""
    batch = torch.zeros(2, 3, 64, 96)
    batch[:, 0, :, :48] = 4.0
    batch[:, 1, :, 48:] = 4.0
    return batch


def looker(seen):
    def predict(batch):
        seen.append(tuple(batch.shape[2:]))
        return torch.nn.functional.avg_pool2d(batch, 4)

    return predict


def test_every_scale_and_the_mirror_image_are_looked_at():
    seen = []
    result = averaged(looker(seen), scales=(0.5, 1.0, 2.0))(stripes())
    assert seen == [size for size in ((32, 64), (64, 96), (128, 192)) for _ in range(2)]
    assert result.shape == (2, 3, 64, 96)
    assert torch.allclose(result.exp().sum(dim=1), torch.ones(2, 64, 96))


def test_mirrored_looks_are_turned_back():
    labels = averaged(looker([]), scales=(1.0, 1.5), flip=True)(stripes()).argmax(dim=1)
    assert (labels[:, :, :44] == 0).all()
    assert (labels[:, :, 52:] == 1).all()


def test_one_look_gives_the_labels_of_the_network_itself():
    def predict(batch):
        return torch.cos(batch * torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1))

    batch = torch.randn(1, 3, 32, 64, generator=torch.Generator().manual_seed(1))
    once = averaged(predict, scales=(1.0,), flip=False)(batch)
    assert (once.argmax(dim=1) == predict(batch).argmax(dim=1)).all()


def test_a_flip_makes_an_unfair_network_fair():
    bias = torch.linspace(0, 1, 64).view(1, 1, 1, 64)

    def predict(batch):
        return torch.cat([bias.expand(1, 1, 32, 64), 1 - bias.expand(1, 1, 32, 64)], dim=1)

    result = averaged(predict, scales=(1.0,))(torch.zeros(1, 3, 32, 64))
    assert torch.allclose(result, result.flip(3), atol=1e-6)


@pytest.mark.parametrize("scales", [(), (1.0, 0.0)])
def test_scales_that_cannot_be_are_refused(scales):
    with pytest.raises(ValueError, match="above 0"):
        averaged(lambda batch: batch, scales=scales)
