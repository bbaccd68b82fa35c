r"""The published system's second command: evaluate a checkpoint on the test split.

python -u eval.py --config_env configs/env.yml \
    --config_exp configs/google_commands/lambda_resnet18.yml --gpu 0 \
    --model output/google_commands/RUN/best.pth.tar
"""

from watchword.doors import eval_door

if __name__ == "__main__":
    eval_door()
