package rsp

import "testing"

func init() {
	requestTests = append(requestTests, platformTests...)
	malformedTests = append(malformedTests, malformedPlatformPackets...)
}

var anyProcess = FindProcesses{User: AnyID, Group: AnyID, EffectiveUser: AnyID, EffectiveGroup: AnyID}

var platformTests = []requestTest{
	{"qsProcessInfo", Extension(PacketNextProcess), PacketNextProcess},
	{"qQueryGDBServer", Extension(PacketQueryGDBServer), PacketQueryGDBServer},
	{"qProcessInfoPID:12", &ProcessInfoPID{12}, PacketProcessInfoPID},
	{"qfProcessInfo", &anyProcess, PacketFindProcesses},
	{"qfProcessInfo:name_match:starts_with;name:6162;pid:12;parent_pid:1;uid:0;gid:2;euid:3;egid:4;all_users:1;triple:x86_64-pc-linux-gnu;",
		&FindProcesses{Name: "ab", Match: MatchPrefix, PID: 12, Parent: 1, User: 0, Group: 2, EffectiveUser: 3, EffectiveGroup: 4,
			AllUsers: true, Triple: "x86_64-pc-linux-gnu"}, PacketFindProcesses},
	{"qUserName:1000", &NameQuery{PacketUserName, 1000}, PacketUserName},
	{"qGroupName:1000", &NameQuery{PacketGroupName, 1000}, PacketGroupName},
	{"qPathComplete:1,2f78", &PathComplete{true, "/x"}, PacketPathComplete},
	{"qPathComplete:0,", &PathComplete{false, ""}, PacketPathComplete},
	{"qLaunchGDBServer;host:here;port:12;", &LaunchGDBServer{"here", 12}, PacketLaunchGDBServer},
	{"qLaunchGDBServer", &LaunchGDBServer{}, PacketLaunchGDBServer},
	{"qKillSpawnedProcess:12", &KillSpawned{12}, PacketKillSpawned},
	{"qPlatform_mkdir:000001ff,2f78", &FilePermissions{PacketMakeDirectory, 0o777, "/x"}, PacketMakeDirectory},
	{"qPlatform_chmod:1c0,2f78", &FilePermissions{PacketChangeMode, 0o700, "/x"}, PacketChangeMode},
	{"qPlatform_shell:6c73,a,2f78", &Shell{"ls", 10, "/x"}, PacketShell},
	{"qPlatform_shell:6c73,ffffffff", &Shell{Command: "ls"}, PacketShell},
	{"vFile:MD5:61", &FileQuestion{PacketFileMD5, "a"}, PacketFileMD5},
	{"vFile:symlink:61,62", &FileSymlink{Target: "a", Link: "b"}, PacketFileSymlink},
}

var malformedPlatformPackets = []malformedTest{
	{"qProcessInfoPID:x", PacketProcessInfoPID, 16},
	{"qProcessInfoPID:1x", PacketProcessInfoPID, 17},
	{"qfProcessInfo:pid:x;", PacketFindProcesses, 18},
	{"qfProcessInfo:pid:1x;", PacketFindProcesses, 19},
	{"qfProcessInfo:pid", PacketFindProcesses, 17},
	{"qfProcessInfo:name:6;", PacketFindProcesses, 20},
	{"qfProcessInfo:name_match:like;", PacketFindProcesses, 25},
	{"qfProcessInfo:all_users:x;", PacketFindProcesses, 24},
	{"qfProcessInfo:color:1;", PacketFindProcesses, 20},
	{"qUserName:", PacketUserName, 10},
	{"qGroupName:x", PacketGroupName, 11},
	{"qPathComplete:1", PacketPathComplete, 15},
	{"qPathComplete:1,6", PacketPathComplete, 17},
	{"qLaunchGDBServer;port:x;", PacketLaunchGDBServer, 17},
	{"qLaunchGDBServer;port:65536;", PacketLaunchGDBServer, 17},
	{"qKillSpawnedProcess:", PacketKillSpawned, 20},
	{"qPlatform_mkdir:1c0", PacketMakeDirectory, 19},
	{"qPlatform_mkdir:10000,61", PacketMakeDirectory, 16},
	{"qPlatform_chmod:x", PacketChangeMode, 16},
	{"qPlatform_shell:6", PacketShell, 17},
	{"qPlatform_shell:61,x", PacketShell, 19},
	{"vFile:symlink:61", PacketFileSymlink, 16},
}

// TestPlatformReplies writes the replies that only platform servers send.
func TestPlatformReplies(t *testing.T) {
	for _, test := range []struct {
		reply Reply
		want  string
	}{
		{Completions{}, "M"}, {Completions{"/a", "/b"}, "M2f61,2f62"},
		{FileOutcome(0), "F0"}, {FileOutcome(17), "F11,11"},
		{&ShellResult{Status: 1, Signal: 15, Output: []byte("a#")}, "F,1,f,a}\x03"},
	} {
		if got := string(test.reply.AppendTo(nil)); got != test.want {
			t.Errorf("%+v: %q, want %q", test.reply, got, test.want)
		}
	}
}
